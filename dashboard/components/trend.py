"""The floor over time as a picture of columns, and the same in words.

A column says of how many of a team's people what was known: from below those
who differed, above them those as usual, hatched those of whom nothing was
known. A stretch with too few people is a dashed line, never an empty column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from html import escape

import streamlit as st

from dashboard.components import slot
from dashboard.trend import IN_WORDS, Column, Plan, Span, columns, most
from dashboard.trend_reader import Stage, Trend
from sensors.shown import clock, first_upper
from sensors.words import N_, Words

_MARKS = 4
_DAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


def legend(words: Words) -> str:
    """Return what the columns mean, and what they never say."""
    said = [
        ("wb-high", words.say("different from own usual")),
        ("wb-mid", words.say("as usual")),
        ("wb-blank", words.say("not known")),
        ("wb-few", words.say("too few people")),
    ]
    marks = " ".join(f'<span><i class="{kind}"></i>{escape(text)}</span>' for kind, text in said)
    note = escape(
        words.say("Shares of a team's people. Longer history of one person is that person's own.")
    )
    return f'<p class="wb-legend" aria-hidden="true">{marks}</p><p class="wb-note">{note}</p>'


def render(
    words: Words,
    seen: Trend,
    zones: Mapping[str, tzinfo],
    smallest: int,
    places: Mapping[str, str],
) -> None:
    """Draw how far the reading has come, and each team's picture and table on its own clocks.

    `places` says where a team's clocks hang, if that has to be said. Every part
    has its own place in the page: what somebody unfolded or stands on by key
    stays so while older days are still coming in.
    """
    # The plan is on the first team's clocks.
    slot.fill(progress(words, seen, next(iter(places.values()), "")))
    for team, zone in zones.items():
        there = replace(seen, plan=replace(seen.plan, zone=zone))
        # No name of a team holds a colon.
        with st.container(key=f"trend:{team}"):
            st.html(picture(words, there, team, smallest, places))
            rows = table(words, there, team)
            # Also while there is nothing in it: what goes away comes back folded.
            if rows or there.stage in {Stage.READING, Stage.AWAY}:
                with st.expander(words.say("The same in words"), key=f"words:{team}"):
                    st.html(rows or _nothing_yet(words, there.stage))


def _nothing_yet(words: Words, stage: Stage) -> str:
    said = words.say("Reading…") if stage is Stage.READING else first_upper(words.say("not known"))
    return f'<p class="wb-quiet">{escape(said)}</p>'


def progress(words: Words, seen: Trend, place: str) -> str:
    """Return what is missing, in the one place where it is said; `place` names the plan's zone."""
    since = _moment(words, seen.plan, seen.read_from) + (f" ({place})" if place else "")
    if seen.stage is Stage.AWAY:
        text = words.say("The past cannot be read: the database is away.")
        return f'<p class="wb-error" role="alert">✕ {escape(text)}</p>'
    if seen.stage is Stage.TOO_LONG:
        text = words.say("Read back to {time}; more takes too long right now.", time=since)
        return f'<p class="wb-error" role="alert">✕ {escape(text)}</p>'
    if seen.stage is Stage.READING:
        return f'<p class="wb-quiet" role="status">{escape(words.say("Reading…"))}</p>'
    return ""


def picture(words: Words, seen: Trend, team: str, smallest: int, places: Mapping[str, str]) -> str:
    """Return `team`'s name, what was most, and the columns; or why there are none."""
    title = f'<h2 class="wb-section">{escape(first_upper(team))}</h2>'
    if team in places:
        where = words.say("Times as in {place}.", place=places[team])
        title += f'<p class="wb-note">{escape(where)}</p>'
    found = columns(seen.plan, team, seen.different, seen.as_usual)
    if _is_blank(found):
        nothing = words.say(
            "Nothing is shown: in this time there were never {n} people at once of whom anything "
            "was sent.",
            n=smallest,
        )
        waiting = seen.stage in {Stage.READING, Stage.AWAY}
        return title + ("" if waiting else f'<p class="wb-quiet">{escape(nothing)}</p>')
    said = _summary(words, seen.plan, found)
    name = words.say("{team}: people who differed, over time", team=first_upper(team))
    return f'{title}<p class="wb-text">{escape(said)}</p>' + _drawn(words, seen.plan, found, name)


def table(words: Words, seen: Trend, team: str) -> str:
    """Return the same in few lines, newest first: for ears, and for who wants figures."""
    found = columns(seen.plan, team, seen.different, seen.as_usual, IN_WORDS[seen.plan.span])
    if _is_blank(found):
        return ""
    head = "".join(
        f'<th scope="col">{escape(text)}</th>'
        for text in (words.say("Since"), words.say("Different"), words.say("Not known"))
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(_stretch(words, seen.plan, column))}</th>'
        f"{_cells(words, column)}</tr>"
        for column in reversed(found)
    )
    return f'<table class="wb-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _is_blank(found: Sequence[Column]) -> bool:
    return all(column.different is None for column in found)


def _summary(words: Words, plan: Plan, found: Sequence[Column]) -> str:
    top = most(found)
    if top is None:
        return words.say("Nobody differed.")
    return words.say(
        "At most {share} differed ({time}).",
        time=_moment(words, plan, top.begin_at),
        share=_percent(top.different or 0.0),
    )


def _drawn(words: Words, plan: Plan, found: Sequence[Column], name: str) -> str:
    bars = "".join(_bar(column) for column in found)
    marks = "".join(
        f"<span>{escape(_moment(words, plan, found[at].begin_at))}</span>"
        for at in range(0, len(found), -(-len(found) // _MARKS))
    )
    scale = (
        f"<span>{escape(words.say('everybody'))}</span><span>{escape(words.say('nobody'))}</span>"
    )
    return (
        f'<div class="wb-trend" role="img" aria-label="{escape(name)}">'
        f'<div class="wb-scale">{scale}</div><div class="wb-columns">{bars}</div>'
        f'<span></span><div class="wb-axis">{marks}</div></div>'
    )


def _bar(column: Column) -> str:
    if column.different is None or column.unknown is None:
        return '<i class="wb-few"></i>'
    high, blank = 100 * column.different, 100 * column.unknown
    return (
        f'<i><b class="wb-blank" style="height: {blank:.1f}%"></b><b class="wb-mid"></b>'
        f'<b class="wb-high" style="height: {high:.1f}%"></b></i>'
    )


def _cells(words: Words, column: Column) -> str:
    if column.different is None or column.unknown is None:
        return (
            f'<td colspan="2">{escape(words.say("too few people"))}</td>'  # said once, in one line
        )
    return f"<td>{_percent(column.different)}</td><td>{_percent(column.unknown)}</td>"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _moment(words: Words, plan: Plan, at: datetime) -> str:
    """Return a moment as finely as `plan` needs it told."""
    local = at.astimezone(plan.zone)
    if plan.span is Span.MONTH:
        return f"{local:%Y-%m-%d}"
    if plan.span is Span.SHIFT:
        return clock(at, plan.zone)
    # A day has the same hour at both of its ends.
    return f"{words.say(_DAYS[local.weekday()])} {clock(at, plan.zone)}"


def _stretch(words: Words, plan: Plan, column: Column) -> str:
    if plan.span is Span.WEEK:
        local = column.begin_at.astimezone(plan.zone)
        return f"{words.say(_DAYS[local.weekday()])} {local:%Y-%m-%d}"
    return _moment(words, plan, column.begin_at)
