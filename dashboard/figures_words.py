"""The figures of *How the alerts do* in words: pure."""

from __future__ import annotations

from datetime import tzinfo

from analytics.alerts.alerting import SMALLEST_GROUP
from dashboard import clocks
from dashboard.rates import (
    FLOOD_OVER,
    FLOOD_SPAN,
    FLOOD_TARGET,
    SPAN,
    Figures,
    Share,
)
from sensors.shown import duration
from sensors.words import Words


def rows(words: Words, figures: Figures | None, ceiling: int) -> list[tuple[str, str]]:
    """Return name and figure of each line, each with its bound.

    Parameters
    ----------
    words : Words
    figures : Figures or None
        ``None``: nothing is known.
    ceiling : int
        Personal alerts per supervisor-hour at most.
    """
    flood = words.say(
        "Floods: more than {n} alerts in {time}",
        n=FLOOD_OVER,
        time=duration(words, FLOOD_SPAN.total_seconds()),
    )
    names = [
        words.say("Signals told to you"),
        words.say("Hours with more than {n}", n=ceiling),
        flood,
        words.say("Agents said it was so"),
        words.say("Agents said it helped"),
    ]
    if figures is None:
        return [(name, words.say("Unknown.")) for name in names]
    load = figures.load
    none, few = words.say("should be none"), _percent(FLOOD_TARGET)
    said = [
        _rate(words, load.per_hour, ceiling),
        _of_time(words, load.share_above(ceiling), none),
        _of_time(words, load.share_flooded, words.say("should stay under {share}", share=few)),
        _answers(words, figures.was_so),
        _answers(words, figures.helped),
    ]
    return list(zip(names, said, strict=True))


def counted(words: Words, figures: Figures | None, zone: tzinfo, place: str = "") -> str:
    """Return since when and over how long it was counted, and which answers are in it."""
    if figures is None:
        return words.say("Nothing is counted yet, or the database is away.")
    load = figures.load
    if load.since is None:
        span = duration(words, SPAN.total_seconds())
        said = words.say("Nothing was counted in the last {time}.", time=span)
    else:
        said = words.say(
            "Counted since {time}: {long} in which you were on duty and the server was scoring.",
            time=clocks.told(load.since, zone, place),
            long=duration(words, load.counted.total_seconds()),
        )
    answers = words.say(
        "Answers are those of this month and the last. They are added {n} people at a time, so "
        "that nobody's own can be told.",
        n=SMALLEST_GROUP,
    )
    return words.join(said, answers)


def _rate(words: Words, per_hour: float | None, ceiling: int) -> str:
    if per_hour is None:
        return words.say("Unknown: less than an hour was counted.")
    return words.say("{rate} an hour; at most {n}.", rate=f"{per_hour:.1f}", n=ceiling)


def _of_time(words: Words, share: float | None, bound: str) -> str:
    if share is None:
        return words.say("Unknown: less than an hour was counted.")
    said = words.say("None") if share == 0 else _percent(share)
    return words.say("{figure}; {bound}.", figure=said, bound=bound)


def _answers(words: Words, share: Share) -> str:
    if not share.known:
        return words.say("Unknown: fewer than {n} people answered.", n=SMALLEST_GROUP)
    return words.say("{share} of {n} answers.", share=_percent(share.yes / share.of), n=share.of)


def _percent(share: float) -> str:
    """Return a share (0 to 1) in percent, finer below ten: one minute in 8 h is 0.2 %."""
    digits = 1 if 0 < share < 0.1 and share != FLOOD_TARGET else 0
    return f"{100 * share:.{digits}f} %"
