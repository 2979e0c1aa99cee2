"""Compares what another implementation writes with our test vectors; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridge.protocol import vectors
from sensors import codec
from sensors.errors import ConfigurationError

PARTS = ("messages", "refused", "values", "streams")

_AROUND = 4  # bytes shown on each side of a difference
_LINE = re.compile(r"(?P<name>.*\S)\s*[:=]\s*(?P<hex>[0-9a-fA-F\s]+)")


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of a file of vectors.

    Parameters
    ----------
    checked : int
        Vectors in it.
    absent : int
        Of our messages, those it does not hold.
    findings : tuple of Finding
        What is not as it should be.
    """

    checked: int
    absent: int
    findings: tuple[vectors.Finding, ...]


def read(text: str, where: str) -> dict[str, Any]:
    """Return the vectors in a file: JSON like ours, or lines ``NAME: HEX`` of whole messages.

    Raises
    ------
    ConfigurationError
        If it is neither.
    """
    if text.lstrip().startswith("{"):
        try:
            found: dict[str, Any] = codec.load_json(text)
        except ValueError as error:
            raise ConfigurationError(f"{where} is no JSON: {error}") from None
        parts = [found[part] for part in PARTS if part in found]
        if not parts:
            raise ConfigurationError(f"{where} holds none of {', '.join(PARTS)}")
        if not all(
            isinstance(part, list) and all(isinstance(e, dict) for e in part) for part in parts
        ):
            raise ConfigurationError(
                f"{where}: each of {', '.join(PARTS)} is a list of objects; "
                "see: firmware-bridge vectors --json"
            )
        return found
    ours = {entry["name"]: entry for entry in vectors.load()["messages"]}
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        matched = _LINE.fullmatch(line.strip())
        if matched is None or matched["name"] not in ours or len(_digits(matched["hex"])) % 2:
            raise ConfigurationError(
                f"{where}, line {number} is {line[:60]!r}; expected NAME: HEX with a name that "
                "firmware-bridge vectors --part messages prints"
            )
        entries.append(ours[matched["name"]] | {"wire": _digits(matched["hex"])})
    return {"messages": entries}


def _digits(text: str) -> str:
    return re.sub(r"\s", "", text).lower()


def verify(given: Mapping[str, Any]) -> Verified:
    """Return how `given` agrees with this implementation, and with our vectors of the same name."""
    ours = {entry["name"]: entry["wire"] for entry in vectors.load()["messages"]}
    findings, told = [], set()
    names = set()
    for entry in given.get("messages", ()):
        name, wire = str(entry.get("name", "")), str(entry.get("wire", ""))
        names.add(name)
        if name in ours and _digits(wire) != ours[name]:
            told.add(f"messages: {name}")
            findings.append(
                vectors.Finding(f"messages: {name}", difference(ours[name], _digits(wire)))
            )
    # A wrong byte makes everything after it wrong, too: the byte is what helps.
    findings += [one for one in vectors.verify(given) if one.name not in told]
    checked = sum(len(given.get(part, ())) for part in PARTS)
    return Verified(checked, len(ours.keys() - names), tuple(findings))


def difference(ours: str, theirs: str) -> str:
    """Return where two stretches of hexadecimal digits begin to differ.

    Examples
    --------
    >>> difference("0a010203", "0a01ff03")
    'byte 2 is ff, expected 02: 0a 01 [ff] 03 where ours has 0a 01 [02] 03'
    >>> difference("0a0102", "0a01")
    'ends after 2 bytes, expected 3: 0a 01 [] where ours has 0a 01 [02]'
    """
    a, b = _pairs(ours), _pairs(theirs)
    at = next(
        (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    shown = f"{_around(b, at)} where ours has {_around(a, at)}"
    if at == len(b):
        return f"ends after {len(b)} bytes, expected {len(a)}: {shown}"
    if at == len(a):
        return f"goes on after {len(a)} bytes: {shown}"
    return f"byte {at} is {b[at]}, expected {a[at]}: {shown}"


def _pairs(digits: str) -> list[str]:
    return [digits[at : at + 2] for at in range(0, len(digits), 2)]


def _around(pairs: list[str], at: int) -> str:
    before = pairs[max(0, at - _AROUND) : at]
    here = f"[{pairs[at] if at < len(pairs) else ''}]"
    return " ".join([*before, here, *pairs[at + 1 : at + 1 + _AROUND]])
