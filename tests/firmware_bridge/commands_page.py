"""Writes the options and the transcripts of firmware_bridge/COMMANDS.md from the command itself.

``python -m tests.firmware_bridge.commands_page`` runs every transcript in a
real terminal with a simulated headset, and writes the page anew; with
``--options`` only the tables of options, in no time.
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import typer.main

from firmware_bridge.commands.verbs import VERBS, app_of
from firmware_bridge.protocol import vectors
from tests.firmware_bridge.driving import ROOT, Driven, in_terminal

PAGE = ROOT / "firmware_bridge" / "COMMANDS.md"

_OPTIONS = re.compile(r"<!-- options: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
TRANSCRIPT = re.compile(r"```console\n\$ firmware-bridge ([^\n]*)\n(.*?)```", re.DOTALL)

SHOWN_COLUMNS = 100


def verbs() -> dict[str, typer.main.TyperCommand]:
    """Return every verb of the command, by name."""
    return dict(typer.main.get_command(app_of(VERBS)).commands)


def options(verb: str) -> list[tuple[str, str]]:
    """Return each option or argument of `verb` as written, with its help."""
    rows = []
    for found in verbs()[verb].params:
        names = ", ".join(f"`{name}`" for name in [*found.opts, *found.secondary_opts])
        if found.param_type_name == "argument":
            names = f"`{found.name.upper()}`"
        text = " ".join((found.help or "").split())
        if found.required:
            text += " Needed."
        elif type(found.default) in {int, float, str} and found.default != "":
            text += f" Else {found.default}."
        rows.append((names, text))
    return rows


def table(verb: str) -> str:
    """Return the options of `verb` as the page has them."""
    rows = [f"| {name} | {text.replace('|', chr(92) + '|')} |" for name, text in options(verb)]
    return "\n".join(["| option | |", "|---|---|", *rows]) + "\n"


def with_tables(page: str) -> str:
    """Return `page` with the tables of options as they are."""
    return _OPTIONS.sub(
        lambda found: f"<!-- options: {found[1]} -->\n{table(found[1])}<!-- end -->", page
    )


def transcripts(page: str) -> list[tuple[str, str]]:
    """Return what is typed and what is shown, in the order of the page."""
    return [(found[1], found[2]) for found in TRANSCRIPT.finditer(page)]


class Bench:
    """A folder with a simulated headset on the port `headset`, in which a person types."""

    def __init__(self, folder: Path, is_enough: Callable[[str], object]) -> None:
        self._folder = folder
        self._is_enough = is_enough  # of a screen, to be kept
        (folder / "mine.txt").write_text(_with_a_wrong_byte(), encoding="utf-8")

    def type(self, typed: str) -> str:
        """Return what a terminal shows after `typed`."""
        screen = typed.startswith("monitor") and "--plain" not in typed
        columns = 80 if screen else SHOWN_COLUMNS
        with in_terminal(*typed.split(), columns=columns, cwd=self._folder) as one:
            if screen and "headset" in typed:
                one.until(lambda this: self._is_enough("\n".join(this.frame)), "what is documented")
                shown = "\n".join(line.rstrip() for line in one.frame).rstrip() + "\n"
                one.end()
                return shown
            one.ended()
        return _settled(one)

    def plugged(self) -> Driven:
        """Return the simulated headset, to be plugged in for as long as it is entered."""
        return in_terminal("simulate", "--link", "headset", columns=SHOWN_COLUMNS, cwd=self._folder)


def _settled(one: Driven) -> str:
    """Return what stays in a terminal: progress that was drawn and taken away is gone."""
    text = one.text.replace("\r\n", "\n")
    kept = re.sub(
        r"\x1b\[\?25l.*?\x1b\[\?25h(\x1b\[1A\x1b\[2K|\r|\x1b\[2K)*", "", text, flags=re.DOTALL
    )
    return "\n".join(
        line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", kept).split("\n")
    )


def _with_a_wrong_byte() -> str:
    entries = [e for e in vectors.load()["messages"] if not e.get("longer")][:3]
    wrong = bytearray.fromhex(entries[1]["wire"])
    wrong[9] ^= 0xFF
    wires = [entries[0]["wire"], wrong.hex(), entries[2]["wire"]]
    return "".join(f"{e['name']}: {wire}\n" for e, wire in zip(entries, wires, strict=True))


def has_beats(screen: str) -> bool:
    """Return whether a screen of `monitor` shows a pulse."""
    return re.search(r"pulse \d+ per min.*drift [+-]", screen, re.DOTALL) is not None


def typed_anew(
    page: str, is_enough: Callable[[str], object] = has_beats
) -> Iterator[tuple[str, str]]:
    """Type every transcript of `page`, and yield it with what is shown now."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), is_enough)
        with bench.plugged() as headset:
            headset.until(lambda one: "Ctrl-C ends it" in one.text)
            for typed, _ in transcripts(page):
                if typed.startswith("simulate"):
                    yield typed, "\n".join(headset.plain.splitlines()[:1]) + "\n"
                else:
                    yield typed, bench.type(typed)


def main() -> None:
    """Write the page anew."""
    page = with_tables(PAGE.read_text(encoding="utf-8"))
    if "--options" in sys.argv:
        PAGE.write_text(page, encoding="utf-8")
        return
    shown = iter(list(typed_anew(page)))
    page = TRANSCRIPT.sub(
        lambda found: "```console\n$ firmware-bridge {}\n{}```".format(*next(shown)), page
    )
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    began_s = time.monotonic()
    main()
    sys.stderr.write(f"written in {time.monotonic() - began_s:.0f} s\n")
