"""What happens to the wearer, from the command line or a file; pure but for reading the file.

A script is ``rest:60,strain:120,recovery`` (names and seconds), or a TOML file
with one table ``[[stage]]`` per stage that has the keys of
:class:`~firmware_bridge.simulation.physiology.Stage`.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from firmware_bridge.simulation.physiology import STAGES, Stage
from sensors import codec
from sensors.errors import ConfigurationError

DEFAULT = "rest:60,strain:120,recovery:60"

_HOW = f"expected like {DEFAULT} (names: {', '.join(STAGES)}), or a .toml file"


def parse_script(text: str) -> tuple[Stage, ...]:
    """Return the stages that `text` names, or the file that it names.

    Raises
    ------
    ConfigurationError
        Naming what is not as expected.

    Examples
    --------
    >>> [stage.seconds for stage in parse_script("rest:30,strain")]
    [30.0, 120.0]
    """
    if text.endswith(".toml"):
        return _from_file(Path(text))
    return tuple(_from_words(piece.strip()) for piece in text.split(","))


def _from_words(piece: str) -> Stage:
    name, colon, seconds = piece.partition(":")
    if name not in STAGES:
        raise ConfigurationError(f"--script has {piece!r}; {_HOW}")
    try:
        return replace(STAGES[name], seconds=float(seconds)) if colon else STAGES[name]
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"--script has {piece!r}; {_HOW}") from None


def _from_file(path: Path) -> tuple[Stage, ...]:
    try:
        tables: Any = tomllib.loads(path.read_text("utf-8")).get("stage")
    except OSError as error:
        raise ConfigurationError(f"--script {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigurationError(f"--script {path} is no TOML: {error}") from None
    if not isinstance(tables, list) or not tables:
        raise ConfigurationError(f"{path} has no table [[stage]]; expected one for each stage")
    return tuple(_from_table(path, table) for table in tables)


def _from_table(path: Path, table: dict[str, Any]) -> Stage:
    known = [found.name for found in fields(Stage)]
    for key in table:
        if key not in known:
            raise ConfigurationError(
                f"{path}: [[stage]] has {key!r}; expected some of: {', '.join(known)}"
            )
    try:
        return codec.convert(table, Stage)
    except ValueError as error:
        raise ConfigurationError(f"{path}: [[stage]]: {error}") from None
