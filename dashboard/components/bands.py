"""The last hour of one person as bands: a picture, and the same in words.

Lanes from *well below* to *well above* this person's own range; no numbers,
no scale that two people could be compared on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, tzinfo
from html import escape

from analytics.signals.features import PARTS, Part
from dashboard import formatting
from dashboard.hour import BANDS_MINUTES, Bands, Run
from sensors.shown import clock, first_upper, level, part
from sensors.words import Words


def html(words: Words, hour: Bands, name: str, zone: tzinfo) -> str:
    """Return picture and table for `hour`; unknown parts are drawn as unknown."""
    title = words.say("{name}, the last hour against own usual range", name=name)
    if hour.is_empty:
        nothing = words.say("Nothing arrived in the last hour.")
        return f'<p class="wb-section">{escape(title)}</p><p>{escape(nothing)}</p>'
    return (
        f'<p class="wb-section">{escape(title)}</p>'
        + _picture(words, hour, title, zone)
        + _table(words, hour, zone)
    )


def _picture(words: Words, hour: Bands, title: str, zone: tzinfo) -> str:
    """Return five lanes per part as one image; the table beside it says the same."""
    rows = [_row(first_upper(part(words, one)), _lanes(hour, one)) for one in PARTS]
    rows.append(_row(words.say("Signal"), _trust(hour.quality)))
    rows.append(_row("", _axis(hour, zone)))
    return f'<div class="wb-bands" role="img" aria-label="{escape(title)}">{"".join(rows)}</div>'


def _row(name: str, drawn: str) -> str:
    return f'<div class="wb-row"><span>{escape(name)}</span>{drawn}</div>'


def _lanes(hour: Bands, part: Part) -> str:
    """Return one part: the lane in the middle is the own usual range, a dashed line unknown."""
    pieces = []
    for run in hour.runs(part):
        level = run.level or 0
        kind = "wb-none" if run.level is None else "wb-out" if level else "wb-in"
        pieces.append(_stretch(kind, 3 - level, 3 - level, _column(hour, run), _length(run)))
    return f'<div class="wb-lanes">{"".join(pieces)}</div>'


def _trust(quality: Sequence[float | None]) -> str:
    """Return how far the signals can be trusted in three heights; a gap is a gap."""
    pieces = []
    for minute, value in enumerate(quality):
        if value is None:
            continue
        top = 1 if value >= formatting.GOOD_QUALITY else 2
        top = 3 if value < formatting.FAIR_QUALITY else top
        pieces.append(_stretch("wb-in", top, 3, minute + 1, 1))
    return f'<div class="wb-trust">{"".join(pieces)}</div>'


def _stretch(kind: str, top: int, bottom: int, column: int, length: int) -> str:
    area = f"{top} / {column} / {bottom + 1} / {column + length}"
    return f'<i class="{kind}" style="grid-area: {area}"></i>'


def _column(hour: Bands, run: Run) -> int:
    return int((run.start_at - hour.start_at).total_seconds() // 60) + 1


def _length(run: Run) -> int:
    return int((run.end_at - run.start_at).total_seconds() // 60)


def _axis(hour: Bands, zone: tzinfo) -> str:
    marks = "".join(
        f"<span>{clock(hour.start_at + timedelta(minutes=minute), zone)}</span>"
        for minute in range(0, BANDS_MINUTES, BANDS_MINUTES // 4)
    )
    return f'<div class="wb-axis">{marks}</div>'


def _table(words: Words, hour: Bands, zone: tzinfo) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(first_upper(part(words, one)))}</th>'
        f"<td>{escape(_in_words(words, hour.runs(one), zone))}</td></tr>"
        for one in PARTS
    )
    caption = escape(words.say("The same in words"))
    return f'<table class="wb-table"><caption>{caption}</caption><tbody>{rows}</tbody></table>'


def _in_words(words: Words, runs: Sequence[Run], zone: tzinfo) -> str:
    """Return the newest stretches first, as many as a person reads."""
    if all(run.level is None for run in runs):
        return words.say("unknown for the whole hour")
    newest = list(reversed(runs))[:_STRETCHES]
    return words.series(
        [
            words.say(
                "{level} since {time}",
                level=level(words, run.level),
                time=clock(run.start_at, zone),
            )
            for run in newest[:1]
        ]
        + [
            words.say(
                "before that {level} from {time}",
                level=level(words, run.level),
                time=clock(run.start_at, zone),
            )
            for run in newest[1:]
        ]
    )


_STRETCHES = 3
