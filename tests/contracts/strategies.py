"""Hypothesis strategies that build every message, in range, from the catalogue."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from sensors import messages as m
from sensors.signals import SIGNALS, Channel, Reduction, of_channel

identities = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
tokens = st.from_regex(r"[a-z0-9]{8,32}", fullmatch=True)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def in_range(name: str) -> st.SearchStrategy[float]:
    """Return values of one signal that are accepted."""
    entry = SIGNALS[name]
    return st.floats(entry.low, entry.high)


def _section(kind: type) -> st.SearchStrategy[Any]:
    options: dict[str, st.SearchStrategy[Any]] = {"quality": st.floats(0, 1)}
    if kind is m.Modules:
        names = [s.name for s in of_channel(Channel.MODULES)]
        options["values"] = st.fixed_dictionaries({}, optional={n: in_range(n) for n in names})
        return st.builds(kind, **options)
    for field in fields(kind):
        if field.name not in SIGNALS or SIGNALS[field.name].reduction is Reduction.ALL:
            continue
        value = in_range(field.name)
        options[field.name] = value if field.default is not None else st.none() | value
    if kind is not m.Heart:
        return st.builds(kind, **options)
    beats = st.lists(st.tuples(in_range("rr_ms"), in_range("beat_offset_ms")), max_size=12)
    return beats.flatmap(
        lambda pairs: st.builds(
            kind,
            **options,
            rr_ms=st.just(tuple(rr for rr, _ in pairs)),
            beat_offset_ms=st.just(tuple(offset for _, offset in pairs)),
        )
    )


SECTIONS = {kind: _section(kind) for kind in m.SECTIONS.values()}

_contributions = st.lists(
    st.builds(m.Contribution, part=identities, level=st.integers(-2, 2)), max_size=3
).map(tuple)


@st.composite
def _readings(draw: st.DrawFn) -> m.ReadingMessage:
    given: dict[str, Any] = {}
    absent: dict[Channel, m.Absence] = {}
    for channel, kind in m.SECTIONS.items():
        which = draw(st.sampled_from(["section", "absent", "neither"]))
        if which == "section":
            given[channel.value] = draw(SECTIONS[kind])
        elif which == "absent":
            absent[channel] = draw(st.sampled_from(m.Absence))
    seq = draw(st.integers(0, 2**53))
    return m.ReadingMessage(
        source=draw(identities),
        run=draw(tokens),
        seq=seq,
        oldest_seq=draw(st.integers(0, seq)),
        window_end_at=draw(times),
        utc_offset_min=draw(st.integers(-1080, 1080)),
        sent_at=draw(st.none() | times),
        clock_offset_ms=draw(st.none() | st.floats(-1e9, 1e9)),
        clock_error_ms=draw(st.none() | st.floats(0, 1e6)),
        absent=absent,
        **given,
    )


_usual = st.lists(
    st.builds(
        lambda ends, **rest: m.UsualRange(low=min(ends), high=max(ends), **rest),
        ends=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
        feature=identities,
        unit=st.text(max_size=16),
        hours=st.floats(0, 1e5),
        now=st.none() | st.floats(-1e6, 1e6),
    ),
    max_size=6,
).map(tuple)

# By field name; None is added where the field allows it.
_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "schema": st.just(m.SCHEMA_VERSION),
    "id": tokens,
    "run": tokens,
    "alert_id": tokens,
    "seq": st.integers(0, 2**53),
    "held": st.integers(0, 10**9),
    "dropped": st.integers(0, 10**9),
    "escalated": st.integers(0, 100),
    "affected": st.integers(0, 20_000),
    "team_size": st.integers(0, 20_000),
    "demanding": st.integers(0, 10),
    "recovered": st.integers(0, 10),
    "quality": st.floats(0, 1),
    "version": st.text(max_size=32),
    "detector_version": st.text(max_size=32),
    "reason": st.text(max_size=64),
    "note": st.text(max_size=500),
    "fault": st.sampled_from(["offline", *m.Absence]).map(str),
    "strain_index": st.floats(0, 100),
    "evidence": st.floats(0, 1e6),
    "threshold": st.floats(0, 1e6),
    "usual": _usual,
    "contributions": _contributions,
    "told_to": st.lists(identities, max_size=4).map(tuple),
    "channels": st.lists(st.sampled_from(Channel), unique=True).map(tuple),
    "unknown": st.lists(st.sampled_from(Channel), unique=True).map(tuple),
    "links": st.dictionaries(
        st.sampled_from(Channel), st.sampled_from(["ok", *m.Absence]).map(str), max_size=5
    ),
}


def _value(name: str, hint: Any) -> st.SearchStrategy[Any]:
    optional = type(None) in get_args(hint)
    if name in _BY_NAME:
        found = _BY_NAME[name]
    elif name.endswith("at"):
        found = times
    else:
        plain = [a for a in get_args(hint) if a is not type(None)] or [hint]
        found = st.one_of([_plain(a) for a in plain])
    return st.none() | found if optional else found


def _plain(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    return identities if hint is str else st.from_type(hint)


def _plain_message(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.fixed_dictionaries({f.name: _value(f.name, hints[f.name]) for f in fields(kind)}).map(
        lambda values: kind(**_consistent(kind, values))
    )


def _consistent(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` made to obey the rules that tie fields of one message together."""
    if kind is m.DecisionMessage:
        is_outcome = values["action"] is m.Action.OUTCOME
        values["outcome"] = (values["outcome"] or m.Outcome.HELPED) if is_outcome else None
        if values["action"] is m.Action.CANNOT_NOW:
            values["to"] = values["to"] or "bo"
        if values["action"] is m.Action.SILENCE:
            about = {"agent": values["agent"], "team": None if values["agent"] else "billing"}
            values |= about | {"reason": values["reason"] or "drill"}
            values["until_at"] = values["until_at"] or values["at"]
        else:
            values |= {"agent": None, "team": None, "until_at": None}
    if kind is m.StatusMessage:
        values["goodbye"] &= not values["online"]
    return values


KINDS: dict[type, st.SearchStrategy[Any]] = {
    kind: _readings() if kind is m.ReadingMessage else _plain_message(kind)
    for kind in get_args(m.Message)
}
"""Every message there is, and how to make one."""

messages = st.one_of(list(KINDS.values()))
