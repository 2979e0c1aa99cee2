"""Why a store refused points, in a few of its own words: without what it quotes; pure.

A server's refusal quotes what it refused, with whose it was and what was
measured; the full words stay with what was set aside, which is erased with the
agent. What status shows may be read over somebody's shoulder, or pasted into a
ticket (TRUST T5).
"""

from __future__ import annotations

import re

from analytics.research.words import explain
from analytics.store.points import Measurement

MOST = 120
"""Characters shown at most."""

GAP = "…"
"""Stands for whatever was left out."""

_TYPES = frozenset({"float", "integer", "string", "boolean", "unsigned"})
_TAGS = frozenset({"site", "agent", "source"})
_NAME = re.compile(r"""(['"`])([A-Za-z0-9_]+)\1""")
_QUOTED = re.compile(r"""'.*'|".*"|`.*`""", re.DOTALL)
_POINT = re.compile(r"\S*[=\\]\S*")
_LONG_NUMBER = re.compile(r"-?\d[\d.:TZ+-]{5,}")
_KEPT = re.compile(r"\x00(\d+)\x00")


def in_short(reason: str) -> str:
    """Return `reason` in a line of at most `MOST` characters that is about no person.

    Names of fields, measurements and types stay; whatever else is quoted goes,
    and so do line protocol and numbers as long as a time.

    Parameters
    ----------
    reason : str
        The store's words, or ours about a point.

    Examples
    --------
    >>> in_short("unable to parse 'score,site=lab,agent=k17 evidence=1 17': bad timestamp")
    'unable to parse …: bad timestamp'
    >>> in_short('input field "hr_bpm" is type float, already exists as type integer')
    'input field "hr_bpm" is type float, already exists as type integer'
    """
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        if not _is_ours(found[2]):
            return found[0]
        kept.append(found[0])
        return f"\0{len(kept) - 1}\0"

    text = _NAME.sub(keep, " ".join(reason.replace("\0", GAP).split()))
    for private in (_QUOTED, _POINT, _LONG_NUMBER):
        text = private.sub(GAP, text)
    text = _KEPT.sub(lambda found: kept[int(found[1])], text)
    return text if len(text) <= MOST else text[: MOST - 1] + GAP


def _is_ours(name: str) -> bool:
    return name in _TYPES | _TAGS | set(Measurement) or bool(explain(name))
