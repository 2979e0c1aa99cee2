"""Configuration: one TOML file, typed, every value also from the environment.

``[broker] port`` in the file is ``WELLBEING_BROKER_PORT`` in the environment,
which wins. Each process reads the sections it needs; a section or key nobody
knows is an error that names the nearest known one. Secrets come from the
environment or from a file only its owner can read, never from the TOML file,
and never appear in an error or a log.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from sensors import codec
from sensors.errors import ConfigurationError

T = TypeVar("T")

ENVIRONMENT_PREFIX = "WELLBEING"

SECTIONS = ("broker", "edge", "server", "store", "policy", "dashboard", "research")
"""Every table the file may have; one file serves every process of an installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """``[broker]``: where the MQTT broker is and how to sign in.

    Parameters
    ----------
    host : str
    port : int
    username : str
        Empty for a broker that lets anybody in (never outside `wellbeing up`).
    password_file : str
        File with the password, readable by its owner only; or set
        ``WELLBEING_BROKER_PASSWORD``.
    tls : bool
        Encrypt and verify. Required off the loopback address.
    ca_file : str
        Private certificate authority; empty trusts the system's.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    # Filled from the environment or password_file only; repr=False keeps it out of logs.
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65_535:
            raise ConfigurationError(f"[broker] port is {self.port}; expected 1 to 65535")


_SECRETS = frozenset({"password", "token"})


def read_file(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is not TOML, or has a table nobody knows.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
    for name, table in tables.items():
        if name not in SECTIONS:
            raise ConfigurationError(f"{path}: unknown table [{name}]{_nearest(name, SECTIONS)}")
        if not isinstance(table, dict):
            raise ConfigurationError(f"{path}: [{name}] is {table!r}; expected a table")
    return tables


def section(  # noqa: C901 - one rule a line, in order of precedence
    tables: Mapping[str, Any],
    name: str,
    kind: type[T],
    /,  # tables may have keys called like these
    environ: Mapping[str, str] | None = None,
    **overrides: Any,
) -> T:
    """Return table `name` as the dataclass `kind`; the environment wins over the file.

    Parameters
    ----------
    tables : mapping
        From :func:`read_file`; an absent table takes every default.
    overrides
        From the command line; ``None`` means not given. These win over all.

    Raises
    ------
    ConfigurationError
        Naming table, key, value and what was expected.
    """
    environ = os.environ if environ is None else environ
    hints = typing.get_type_hints(kind)
    known = [f.name for f in fields(kind) if f.init]  # type: ignore[arg-type]
    values = dict(tables.get(name, {}))
    for key in values:
        if key in _SECRETS:
            variable = _variable(name, key)
            raise ConfigurationError(
                f"[{name}] {key} does not belong in the file; set {variable} or {key}_file"
            )
        if key not in known:
            raise ConfigurationError(f"[{name}] unknown key {key!r}{_nearest(key, known)}")
    for key in known:
        text = environ.get(_variable(name, key))
        if text is not None:
            values[key] = _from_text(name, key, text, hints[key])
    values |= {key: value for key, value in overrides.items() if value is not None}
    for secret in _SECRETS & set(known):
        path = values.get(f"{secret}_file")
        if path and not values.get(secret):
            values[secret] = read_secret(Path(path))
    try:
        return codec.convert(values, kind)
    except ConfigurationError:
        raise
    except ValueError as error:
        if isinstance(error.__cause__, ConfigurationError):
            raise error.__cause__ from None
        raise ConfigurationError(_explain(name, values, hints, str(error))) from None


def read_private(path: Path) -> str:
    """Return the text of a file that only its owner can read.

    Raises
    ------
    ConfigurationError
        If it cannot be read or others can read it.
    """
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigurationError(f"others can read {path}; run: chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text in UTF-8") from None


def read_secret(path: Path) -> str:
    """Return the first line of a file that only its owner can read.

    Raises
    ------
    ConfigurationError
        If it cannot be read, others can read it, or its first line is empty.
    """
    secret = read_private(path).partition("\n")[0].strip()
    if not secret:
        raise ConfigurationError(f"{path} holds no secret on its first line")
    return secret


def _variable(section_name: str, key: str) -> str:
    return f"{ENVIRONMENT_PREFIX}_{section_name}_{key}".upper()


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def _from_text(name: str, key: str, text: str, hint: Any) -> Any:
    """Return the environment's text as the type the key has."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
        origin = typing.get_origin(hint)
    variable = _variable(name, key)
    if hint is bool:
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ConfigurationError(f"{variable} is {text!r}; expected true or false")
        return text.lower() in {"true", "1"}
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            expected = "a whole number" if hint is int else "a number"
            raise ConfigurationError(f"{variable} is {text!r}; expected {expected}") from None
    if origin in (tuple, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    if origin is dict or is_dataclass(hint):
        raise ConfigurationError(f"{variable}: [{name}] {key} is a table; set it in the file")
    return text


def _explain(name: str, values: Mapping[str, Any], hints: Mapping[str, Any], text: str) -> str:
    """Return msgspec's words with the table, the key and the value in front."""
    what, _, path = text.partition(" - at `$")
    key = path.strip("`").lstrip(".").partition(".")[0].partition("[")[0]
    if not key:
        return f"[{name}] {what[:1].lower()}{what[1:]}"
    shown = "(hidden)" if key in _SECRETS else repr(values.get(key))
    return f"[{name}] {key} is {shown}; {_in_toml_words(what, hints.get(key))}"


_TOML_WORDS = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false",
    "array": "a list", "object": "a table", "null": "nothing",
}  # fmt: skip


def _in_toml_words(what: str, hint: Any) -> str:
    """Return msgspec's words in those of whoever wrote the TOML file."""
    if typing.get_origin(hint) is typing.Literal and "enum" in what:
        return f"expected one of {', '.join(map(str, typing.get_args(hint)))}"
    for word, said in _TOML_WORDS.items():
        what = what.replace(f"`{word}`", said)
    return what[:1].lower() + what[1:]
