"""The last hour of one person as bands: a picture, and the same in words.

Lanes from *well below* to *well above* this person's own range; no numbers,
no scale that two people could be compared on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, tzinfo
from html import escape

from analytics.features import PARTS, Part
from dashboard import formatting
from dashboard.queries import BANDS_MINUTES, Bands, Cell, Run
from dashboard.words import Words

_LEFT, _STEP, _LANE, _GAP, _TOP = 92, 9, 11, 16, 6
_PART_HEIGHT = 5 * _LANE + _GAP
_WIDTH = _LEFT + BANDS_MINUTES * _STEP + 8


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
    height = _TOP + len(PARTS) * _PART_HEIGHT + 44
    drawn = [
        _part(words, part, hour.cells[part], _TOP + index * _PART_HEIGHT)
        for index, part in enumerate(PARTS)
    ]
    bottom = _TOP + len(PARTS) * _PART_HEIGHT
    return (
        f'<svg class="wb-bands" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">'
        + "".join(drawn)
        + _quality(words, hour.quality, bottom)
        + _axis(hour, bottom + 36, zone)
        + "</svg>"
    )


def _part(words: Words, part: Part, cells: Sequence[Cell], top: int) -> str:
    middle = top + 2 * _LANE
    name = escape(formatting.first_upper(formatting.part(words, part)))
    width = BANDS_MINUTES * _STEP
    pieces = [
        f'<text x="0" y="{middle + 11}">{name}</text>',
        f'<rect class="wb-usual" x="{_LEFT}" y="{middle}" width="{width}" height="{_LANE}"/>',
    ]
    for minute, cell in enumerate(cells):
        x = _LEFT + minute * _STEP
        if cell.level is None:
            y = middle + _LANE // 2
            pieces.append(f'<line class="wb-none" x1="{x}" x2="{x + _STEP}" y1="{y}" y2="{y}"/>')
            continue
        kind = "wb-out" if abs(cell.level) else "wb-in"
        y = middle - cell.level * _LANE
        pieces.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{_STEP - 1}" height="{_LANE - 1}"/>'
        )
    return "".join(pieces)


def _quality(words: Words, quality: Sequence[float | None], top: int) -> str:
    """Draw how far the signals can be trusted in three heights; a gap is a gap."""
    pieces = [f'<text x="0" y="{top + 13}">{escape(words.say("Quality"))}</text>']
    for minute, value in enumerate(quality):
        if value is None:
            continue
        steps = 3 if value >= formatting.GOOD_QUALITY else 2
        steps = 1 if value < formatting.FAIR_QUALITY else steps
        x, height = _LEFT + minute * _STEP, steps * 5
        pieces.append(
            f'<rect class="wb-in" x="{x}" y="{top + 15 - height}" '
            f'width="{_STEP - 1}" height="{height}"/>'
        )
    return "".join(pieces)


def _axis(hour: Bands, y: int, zone: tzinfo) -> str:
    marks = []
    for minute in range(0, BANDS_MINUTES, 15):
        at = formatting.clock(hour.start_at + timedelta(minutes=minute), zone)
        marks.append(f'<text class="wb-soft" x="{_LEFT + minute * _STEP}" y="{y}">{at}</text>')
    return "".join(marks)


def _table(words: Words, hour: Bands, zone: tzinfo) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(formatting.first_upper(formatting.part(words, part)))}</th>'
        f"<td>{escape(_in_words(words, hour.runs(part), zone))}</td></tr>"
        for part in PARTS
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
                level=formatting.level(words, run.level),
                time=formatting.clock(run.start_at, zone),
            )
            for run in newest[:1]
        ]
        + [
            words.say(
                "before that {level} from {time}",
                level=formatting.level(words, run.level),
                time=formatting.clock(run.start_at, zone),
            )
            for run in newest[1:]
        ]
    )


_STRETCHES = 3
