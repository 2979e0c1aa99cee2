"""What every command of this project shares: plain help, one line per error, the same options.

Nothing is drawn with boxes or colours: a screen reader reads it in order, and
a log file keeps it as it is.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core
import typer.main

from sensors.config import BrokerSettings, read_file, section
from sensors.errors import ConfigurationError, WellbeingError

if TYPE_CHECKING:
    from rich.progress import Progress

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="WELLBEING_CONFIG",
        help="Configuration file (TOML).",
        show_default=False,
    ),
]
SiteOption = Annotated[str | None, typer.Option(metavar="NAME", help="Site.", show_default=False)]
BrokerOption = Annotated[
    str | None,
    typer.Option("--broker", metavar="HOST[:PORT]", help="The MQTT broker.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# Of whatever starts an edge: `wellbeing edge` and `wellbeing me`.
StateDirOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER", help="Where everything is kept on this machine; else the system's place."
    ),
]
CollectorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--collector",
        metavar="NAME",
        help="simulated, replay, heart_rate, hid, voice or an installed one; repeat.",
    ),
]
CollectorKeysOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="COLLECTOR.KEY=VALUE", help="Option of a collector; repeat."),
]
ConsentOption = Annotated[
    str | None,
    typer.Option(
        metavar="CHANNELS",
        help="For unattended use: what the agent has consented to, with commas, or none.",
    ),
]
LanguageOption = Annotated[
    str | None,
    typer.Option(metavar="LANGUAGE", help="Of terminal and page, en or zh_CN; else the system's."),
]
SecondsOption = Annotated[
    float | None,
    typer.Option("--for", metavar="SECONDS", min=0.0, help="End by itself after so many seconds."),
]


class _WholeSentences(typer.core.TyperGroup):
    """Lists commands with the whole first sentence of each; Typer cuts it at the line's end."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list; called by the help page."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [
            (name, command.get_short_help_str(formatter.width * 10))
            for name, command in commands.items()
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def plain_app(text: str = "", *, completion: bool = False, **more: Any) -> typer.Typer:
    """Return an app whose help is plain text; `text` is its first paragraph.

    With `completion` it can complete itself in a shell; only an app that is a
    command of its own can.
    """
    return typer.Typer(
        help=text or None,
        cls=_WholeSentences,
        add_completion=completion,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **more,
    )


def read_tables(config: Path | None) -> dict[str, Any]:
    """Return the tables of the configuration file, none without one."""
    return read_file(config) if config is not None else {}


def broker_settings(tables: Mapping[str, Any], address: str | None) -> BrokerSettings:
    """Return ``[broker]`` with the command line's `address` put over it.

    Raises
    ------
    ConfigurationError
        If `address` is neither ``HOST`` nor ``HOST:PORT``, or the table is wrong.
    """
    host, port = None, None
    if address is not None:
        host, port = split_address(address)
    return section(tables, "broker", BrokerSettings, host=host, port=port)


def split_address(address: str) -> tuple[str, int | None]:
    """Return host and port; an IPv6 address with a port stands in brackets.

    Raises
    ------
    ConfigurationError
        If it is neither ``HOST`` nor ``HOST:PORT``.

    Examples
    --------
    >>> split_address("broker.example:8883"), split_address("::1"), split_address("[::1]:1883")
    (('broker.example', 8883), ('::1', None), ('::1', 1883))
    """
    if address.count(":") > 1 and not address.startswith("["):
        return address, None
    host, colon, tail = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, tail = address, ""
    host = host.removeprefix("[").removesuffix("]")
    if not host or (colon and not tail.isdecimal() and not address.endswith("]")):
        raise ConfigurationError(f"--broker is {address!r}; expected HOST or HOST:PORT")
    return host, int(tail) if tail else None


def parse_speed(text: str) -> float:
    """Return the speed factor; infinite for ``max``.

    Raises
    ------
    ConfigurationError
        If it is neither a number of at least 1 nor ``max``.
    """
    if text == "max":
        return math.inf
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 1.0 <= factor < math.inf:
        raise ConfigurationError(f"--speed is {text!r}; expected a number of 1 or more, or max")
    return factor


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return a table as lines: columns two blanks apart, the first `left` ones flush left."""
    table = [headings, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(headings))]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def run(app: typer.Typer, arguments: Sequence[str], name: str) -> int:
    """Run `app` as the command called `name` and return its exit code.

    Every error that a person can mend becomes one line on standard error. Only
    an error of this program itself is raised, with its traceback.
    """
    try:
        command = typer.main.get_command(app)
        with _terminated_in_order():
            result = command.main(list(arguments), prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.Abort:
        sys.stderr.write("\n")  # the cursor still stands behind a question
        return fail(name, "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head -1`).
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device, not a path
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 1
    except Exception as error:
        told = _in_one_line(error, name)
        if told is None:
            raise
        return fail(name, *told)
    return result if isinstance(result, int) else 0


@contextlib.contextmanager
def _terminated_in_order() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that temporary files go and files are closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _in_one_line(error: Exception, name: str) -> tuple[str, int] | None:
    """Return what to say and the exit code; None for an error of this program itself."""
    if isinstance(error, WellbeingError):
        return " ".join(str(error).split()), error.exit_code
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{where}", 1
    explain = getattr(error, "format_message", None)  # typer's own, about a wrong option
    if explain is None:
        return None
    context = getattr(error, "ctx", None)
    path = context.command_path if context else name
    words = " ".join(explain().split()).rstrip(".")
    return f"{words}; see: {path} --help", int(getattr(error, "exit_code", 2))


def fail(name: str, text: str, code: int) -> int:
    """Say in one line what is wrong and return the exit code."""
    sys.stderr.write(f"{name}: {text}\n")
    return code


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a progress bar on standard error, gone at the end; silent where no terminal is."""
    from rich.console import Console  # noqa: PLC0415 - most commands draw no bar
    from rich.progress import Progress  # noqa: PLC0415

    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        yield bar
