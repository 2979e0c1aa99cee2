"""TRUST T7: every private reason is one word; nobody but the agent can tell which it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.pipeline.pipeline import Pipeline
from analytics.state.state_file import FILE_NAME
from analytics.store.points import Measurement
from analytics.watching.status import read_status
from analytics.watching.status_lines import as_lines
from sensors import codec, topics
from sensors.edge.consent.permission import Event
from sensors.edge.consent.shift import Shift
from sensors.edge.running import heartbeat
from sensors.messages import (
    Absence,
    ContextMessage,
    ContextState,
    ReadingMessage,
    StatusMessage,
)
from sensors.signals import Channel
from tests.analytics.server_rig import SITE as LAB
from tests.analytics.server_rig import StandInEdge, detect, reading
from tests.analytics.synthetic_floor import SITE, Floor, Person, teams
from tests.rig.waiting import wait_until, wait_until_async
from tests.sensors.edge.standin import StandIn

BOTH = (Channel.HEART, Channel.KEYBOARD)
ALL_WITHHELD = dict.fromkeys(Channel, Absence.WITHHELD)
OWN = {"run", "seq", "oldest_seq", "held", "at", "window_end_at", "sent_at", "schema",
       "clock_offset_ms", "clock_error_ms"}  # fmt: skip
"""Identity, time and numbers: these differ between any two messages."""


async def _pause(edge, _server):
    await edge.process.obey("pause", ())


async def _lock(edge, _server):
    await edge.process.obey("lock", ())


async def _break(edge, server):
    message = ContextMessage(at=edge.process.now_at(), state=ContextState.BREAK)
    server.connection.publish(topics.context(server._site, "k7"), codec.encode(message))


async def _end_of_shift(edge, _server):
    edge.process._settings = _never(edge.process._settings)


def _never(settings):
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return type(settings)(**{**values, "shifts": (Shift(days=(), start="09:00", end="17:00"),)})


@pytest.fixture
def no_heartbeat(monkeypatch):
    """A status goes out for its reason only, not because a minute passed."""
    monkeypatch.setattr(heartbeat, "STATUS_EVERY_S", 1e9)


REASONS = {"pause": _pause, "lock": _lock, "break": _break, "off_shift": _end_of_shift}


@pytest.mark.needs("mosquitto")
async def test_pause_lock_break_and_end_of_shift_are_the_same_messages(
    mosquitto, run_edge, tmp_path, no_heartbeat
):
    """The edge's every message, the status and how often it speaks, at a real broker."""
    seen: dict[str, list[tuple[str, str]]] = {}
    for name, begin in REASONS.items():
        site = name.replace("_", "-")
        with StandIn(mosquitto.port, site) as server:
            # No window a second time, however late the server hears of it.
            folder = str(tmp_path / site)
            async with run_edge(
                mosquitto.port, BOTH, site=site, state_dir=folder, resend_after_s=600.0
            ) as edge:
                await wait_until_async(
                    lambda s=server: s.statuses and set(s.statuses[-1].links.values()) == {"ok"}
                )
                await wait_until_async(lambda s=server: s.windows and s.windows[-1].heart)
                before = len(server.payloads)
                calm = {_plain(*one) for one in server.payloads}
                await begin(edge, server)
                await wait_until_async(lambda s=server: _withheld_windows(s) >= 3)
                told = [_plain(*one) for one in server.payloads[before:]]
        since = _since_withheld(told, calm)
        seen[name] = sorted(set(since))
        statuses = [one for one in since if one[0] == "status"]
        assert len(statuses) == 1, (name, statuses)
    assert seen["pause"] == seen["lock"] == seen["break"] == seen["off_shift"]
    assert [kind for kind, _ in seen["pause"]] == ["reading", "status"]


def _since_withheld(
    told: list[tuple[str, str] | None], calm: set[tuple[str, str] | None]
) -> list[tuple[str, str]]:
    """Return what was told, but for what was from before and still on its way.

    That is windows before the first withheld one, and a status as in `calm`.
    """
    found, withheld = [], False
    for kind, values in filter(None, told):
        withheld |= kind == "reading" and "withheld" in values
        if withheld if kind == "reading" else (kind, values) not in calm:
            found.append((kind, values))
    return found


def _withheld_windows(server: StandIn) -> int:
    return sum(set(w.absent.values()) == {Absence.WITHHELD} for w in server.windows)


def _plain(topic: str, payload: bytes) -> tuple[str, str] | None:
    kind = topics.parse(topic).kind.value
    if kind in {"time", "context"}:
        return None
    values = {k: v for k, v in codec.load_json(payload).items() if k not in OWN}
    return kind, json.dumps(values, sort_keys=True)


@pytest.mark.needs("mosquitto")
async def test_a_lock_during_a_pause_says_nothing(mosquitto, run_edge, no_heartbeat):
    """When an edge speaks must not tell either what the agent does on a withheld machine."""
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await edge.process.obey("pause", ())
            await wait_until_async(lambda: _withheld_windows(server) >= 1)
            before = len(server.statuses)
            for command in ("lock", "unlock", "withdraw", "consent"):
                words = tuple(BOTH) if command == "consent" else ()
                await edge.process.obey(command, words)
            edge.process._choices.hold(edge.process.permission.after(Event.SHIFT_ENDS))
            count = len(server.windows)
            await wait_until_async(lambda: len(server.windows) >= count + 2)
            assert len(server.statuses) == before


@pytest.mark.needs("mosquitto")
async def test_an_edge_that_was_ended_says_goodbye_and_one_that_failed_does_not(
    mosquitto, run_edge
):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH):
            await wait_until_async(lambda: server.windows)
        await wait_until_async(lambda: not server.statuses[-1].online)
        assert server.statuses[-1].goodbye
        with pytest.raises(RuntimeError, match="a bug"):  # noqa: PT012 - it fails while it runs
            async with run_edge(mosquitto.port, BOTH) as edge:
                await wait_until_async(lambda: server.statuses[-1].online)
                edge.process._keeper._keep = _fail
                await wait_until_async(lambda: not server.statuses[-1].online)
        assert not server.statuses[-1].goodbye


async def _fail(_message: object) -> None:
    raise RuntimeError("a bug")


# The server: neither technical alerts nor points nor the status may tell.


def _floor(*people: Person) -> Floor:
    return Floor(people, Pipeline(SITE, teams(6)))


def _say(floor: Floor, **values: object) -> None:
    facts = {"source": "pc", "run": "run00001", "online": False, "at": floor.now, **values}
    floor.say("k0", StatusMessage(**facts))


def test_ending_the_edge_within_a_shift_raises_nothing() -> None:
    """T8, *stops on log-off*: what the agent chose is no fault of theirs to be shown."""
    floor = _floor(Person("k0"), Person("k1"))
    floor.run(60)
    _say(floor, goodbye=True)
    floor.people = floor.people[1:]
    floor.run(900)
    assert floor.alerts == {}
    assert [n for n in floor.notices if n[0] == "k0"] == []


def test_what_arrives_late_after_a_goodbye_does_not_raise_it_either() -> None:
    floor = _floor(Person("k0"), Person("k1"))
    floor.run(60)
    left = floor.people.pop(0)
    _say(floor, goodbye=True)
    backlog = left.window(floor.t_s - 40)
    floor.feed([floor.arrival("k0", backlog)])
    floor.run(300)
    assert floor.alerts == {}


def test_a_goodbye_takes_back_what_was_said_about_the_devices() -> None:
    broken = Person("k0", absent=lambda t: {Channel.HEART: Absence.DISCONNECTED} if t > 5 else {})
    floor = _floor(broken, Person("k1"))
    floor.run(100)
    assert [a.agent for a in floor.open()] == ["k0"]
    floor.people = floor.people[1:]
    _say(floor, goodbye=True)
    floor.run(400)
    assert floor.open() == []


def test_a_last_will_is_still_a_fault() -> None:
    floor = _floor(Person("k0"), Person("k1"))
    floor.run(60)
    floor.people = floor.people[1:]
    _say(floor)
    floor.run(10)
    assert [(a.agent, a.fault) for a in floor.open()] == [("k0", "offline")]


def test_after_a_goodbye_the_next_start_counts_again() -> None:
    floor = _floor(Person("k0"), Person("k1"))
    floor.run(60)
    person = floor.people[0]
    _say(floor, goodbye=True)
    person.run, person.seq = "run00002", 0
    floor.run(30)
    _say(floor, run="run00001", goodbye=True)  # the old one, told again
    floor.people = floor.people[1:]
    floor.run(60)
    assert [(a.agent, a.fault) for a in floor.open()] == [("k0", "offline")]


@pytest.mark.parametrize("told_by", ["window", "status"])
def test_a_withheld_machine_that_falls_asleep_raises_nothing(told_by: str) -> None:
    """Lock the screen and close the lid: the will comes, and it is the lock's."""
    floor = _floor(
        Person("k0", absent=lambda t: ALL_WITHHELD if t > 60 and told_by == "window" else {}),
        Person("k1"),
    )
    floor.run(80)
    if told_by == "status":
        _say(floor, online=True, links=dict.fromkeys(BOTH, "withheld"))
    floor.people = floor.people[1:]
    _say(floor)
    floor.run(400)
    assert floor.alerts == {}


def test_withheld_in_part_still_shows_a_lost_connection() -> None:
    keyboard = {Channel.KEYBOARD: Absence.WITHHELD}
    floor = _floor(Person("k0", absent=lambda _: keyboard), Person("k1"))
    floor.run(60)
    floor.people = floor.people[1:]
    floor.run(60)
    assert [(a.agent, a.fault) for a in floor.open()] == [("k0", "offline")]


def test_a_restored_server_remembers_who_left() -> None:
    floor = _floor(Person("k0"), Person("k1"))
    floor.run(60)
    _say(floor, goodbye=True)
    floor.people = floor.people[1:]
    other = Pipeline(SITE, teams(6))
    other.restore(floor.pipeline.snapshot())
    floor.pipeline = other
    floor.run(120)
    assert floor.alerts == {}


def _absent(reason: dict[Channel, Absence]) -> Callable[[float], dict[Channel, Absence]]:
    return lambda t: reason if t > 300 else {}


def test_points_of_a_withheld_window_hold_one_word_and_no_value() -> None:
    floor = _floor(Person("k0", absent=_absent(ALL_WITHHELD)))
    floor.run(300)
    assert floor.of(Measurement.SCORE)[-1].fields["state"] in {"as_usual", "learning"}
    floor.run(15)
    floor.points.clear()
    floor.run(60)
    (scores, readings) = floor.of(Measurement.SCORE), floor.of(Measurement.READING)
    assert len(scores) == len(readings) == 12
    for point in (*scores, *readings):
        words = {v for k, v in point.fields.items() if k.startswith("absent_")}
        assert words == {"withheld"}
        figures = set(point.fields) & {"hr_bpm", "dwell_ms", "eda_us", "score", "strain_index"}
        assert not figures
    assert {p.fields["state"] for p in scores} == {"no_data"}
    assert floor.of(Measurement.BEAT) == []
    floor.points.clear()
    floor.run(60)
    assert floor.of(Measurement.FEATURE) == []  # they look back a minute
    assert floor.alerts == {}


@pytest.mark.needs("mosquitto")
def test_the_status_counts_nobodys_withheld_windows_and_names_no_refused_channel(
    mosquitto, tmp_path: Path
) -> None:
    """`wellbeing status`, its JSON and the log: what administrators see."""
    with detect(tmp_path, mosquitto.port) as server:
        wait_until(lambda: "connected to the broker" in server.text)
        edge = StandInEdge(mosquitto.port, "k1", "run00001")
        edge.consent(Channel.HEART)
        withheld = ReadingMessage(
            source="pc", run="run00001", seq=0, window_end_at=datetime.now(UTC), absent=ALL_WITHHELD
        )
        edge.publish_raw(topics.reading(LAB, "k1"), codec.encode(withheld))
        # A faulty edge sends what was refused; the operator must learn of the fault only.
        later = datetime.now(UTC) + timedelta(seconds=30)
        sent = reading(1, window_end_at=later)
        edge.publish_raw(topics.reading(LAB, "k1"), codec.encode(sent))
        state = tmp_path / "state"
        wait_until(lambda: (state / FILE_NAME).exists() and _set_aside(state))
        edge.close()
        assert server.stop() == 0
        status = read_status(state, datetime.now(UTC))
        said = "\n".join([*as_lines(status), repr(status), server.text]).lower()
    assert "without the agent's consent" in said
    for word in ("withheld", "paused", "locked", *(c.value for c in Channel)):
        assert word not in said.replace("heartbeat", ""), word


def _set_aside(state: Path) -> bool:
    return read_status(state, datetime.now(UTC)).set_aside_kept > 0
