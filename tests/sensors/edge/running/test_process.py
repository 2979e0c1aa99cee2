import asyncio
import socket
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from sensors import codec, topics
from sensors.collector import Note
from sensors.edge.collecting import supervise
from sensors.edge.collecting.clock import SystemTime
from sensors.edge.commands.giving import told
from sensors.edge.companion import Companion
from sensors.edge.consent import permission as consent_module
from sensors.edge.consent.shift import Shift
from sensors.edge.control import control
from sensors.edge.control.control import ask
from sensors.edge.control.offline import command_everywhere
from sensors.edge.settings import EdgeSettings
from sensors.errors import ConfigurationError, StateError
from sensors.messages import (
    Absence,
    ContextMessage,
    ContextState,
    RequestKind,
    RequestMessage,
)
from sensors.signals import Channel
from sensors.vocabulary import CONTEXT_BELIEVED
from tests.rig.waiting import wait_until_async as wait_until
from tests.sensors.edge.scripted import SECRET, Scripted
from tests.sensors.edge.standin import StandIn, after

pytestmark = pytest.mark.needs("mosquitto")

BOTH = (Channel.HEART, Channel.KEYBOARD)


async def test_windows_arrive_once_released_and_in_order(mosquitto, run_edge):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until(after(server, 5))
            await wait_until(lambda: edge.process.report()["held"] <= 1)
        (numbers,) = server.runs.values()
        assert numbers == list(range(len(numbers)))
        ends = [w.window_end_at for w in sorted(server.windows, key=lambda w: w.seq)]
        assert all((b - a).total_seconds() == 5 for a, b in pairwise(ends))
        # In one of half a second a busy machine may have come to read nothing.
        assert {w.heart.hr_bpm for w in server.windows if w.heart is not None} == {SECRET}
        assert any(w.keyboard is not None for w in server.windows)
        assert all(w.sent_at is not None for w in server.windows)
        assert any(w.clock_offset_ms is not None for w in server.windows)


async def test_without_consent_nothing_is_read_and_empty_windows_still_go(mosquitto, run_edge):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port) as edge:
            await wait_until(after(server, 2))
            assert Scripted.opened == []
            await edge.process.request(RequestKind.HELP_NOW)  # T9: works with no channel at all
            await wait_until(lambda: any(isinstance(m, RequestMessage) for m in server.others))
        assert all(set(w.absent.values()) == {Absence.WITHHELD} for w in server.windows)


async def test_a_refused_channel_leaves_no_byte_on_the_broker(mosquitto, run_edge):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, [Channel.KEYBOARD]):
            await wait_until(after(server, 3))
        assert [one.channels for one in Scripted.opened] == [{Channel.KEYBOARD}]
        assert any(w.keyboard for w in server.windows)
        for topic, payload in server.payloads:
            assert b"hr_bpm" not in payload, topic
            assert str(SECRET).encode() not in payload
        assert server.consents[-1].channels == (Channel.KEYBOARD,)


@pytest.mark.parametrize("command", ["pause", "withdraw", "lock"])
async def test_the_agents_word_closes_the_device_at_once(mosquitto, run_edge, command, tmp_path):
    control = tmp_path / "state" / "main" / "k7" / "control-pc.json"
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until(after(server, 2))
            assert Scripted.opened[-1].is_open
            answer = await asyncio.to_thread(ask, control, command)
            assert answer is not None
            await wait_until(lambda: not Scripted.opened[-1].is_open)
            opened, closed_at = len(Scripted.opened), edge.process.now_at()
            await wait_until(lambda: len(server.since(closed_at)) >= 3)
            assert len(Scripted.opened) == opened
            later = server.since(closed_at)
            assert all(set(w.absent.values()) == {Absence.WITHHELD} for w in later)
            undo = {"pause": ("resume", ()), "lock": ("unlock", ()), "withdraw": ("consent", BOTH)}
            await asyncio.to_thread(ask, control, *undo[command])
            await wait_until(lambda: server.windows[-1].heart is not None)
    assert not control.exists()


async def test_pause_and_lock_are_the_same_bytes_on_the_broker(mosquitto, run_edge, tmp_path):
    """T7, at the broker: but for run, times and numbers the messages are identical."""
    seen: dict[str, set[bytes]] = {}
    for n, command in enumerate(("pause", "lock")):
        site = f"site{n}"
        with StandIn(mosquitto.port, site) as server:
            folder = str(tmp_path / site)
            async with run_edge(mosquitto.port, BOTH, site=site, state_dir=folder) as edge:
                await edge.process.obey(command, ())
                obeyed_at = edge.process.now_at()
                await wait_until(lambda s=server, at=obeyed_at: len(s.since(at)) >= 3)
            plain = set()
            later = {window.seq for window in server.since(obeyed_at)}
            for topic, payload in list(server.payloads):
                if topic.endswith("/reading"):
                    fields = codec.load_json(payload)
                    if fields["seq"] not in later:
                        continue
                    for name in ("run", "seq", "oldest_seq", "window_end_at", "sent_at"):
                        fields.pop(name, None)
                    fields.pop("clock_offset_ms", None), fields.pop("clock_error_ms", None)
                    plain.add(codec.dump_json(fields))
            seen[command] = plain
    assert seen["pause"] == seen["lock"]
    assert len(seen["pause"]) == 1


async def test_after_the_words_changed_the_consent_on_the_broker_ends_then(
    mosquitto, run_edge, monkeypatch
):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH):
            await wait_until(lambda: server.consents)
        given = server.consents[-1]
        monkeypatch.setattr(consent_module, "CONSENT_VERSION", "later")
        Scripted.opened.clear()
        async with run_edge(mosquitto.port) as edge:
            await wait_until(lambda: not server.consents[-1].channels)
            await wait_until(after(server, 1))
            assert Scripted.opened == []
            assert not edge.process.permission.is_asked
        ended = server.consents[-1]
        assert given.channels == BOTH
        assert (ended.version, ended.at > given.at) == (given.version, True)
        async with run_edge(mosquitto.port):
            await wait_until(after(server, 1))
        assert {m.at for m in server.consents} == {given.at, ended.at}, "it ends once"


async def test_a_pause_outlives_the_process(mosquitto, run_edge):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await edge.process.obey("pause", ())
        Scripted.opened.clear()
        async with run_edge(mosquitto.port):
            await wait_until(after(server, 2))
            assert Scripted.opened == []


async def test_typing_in_a_break_yields_nothing(mosquitto, run_edge):
    """T8."""
    where = topics.context("main", "k7")
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until(lambda: Scripted.opened and Scripted.opened[-1].is_open)
            message = ContextMessage(at=edge.process.now_at(), state=ContextState.BREAK)
            server.connection.publish(where, codec.encode(message), retain=True)
            await wait_until(lambda: not Scripted.opened[-1].is_open)
            closed_at = edge.process.now_at()
            await wait_until(lambda: len(server.since(closed_at)) >= 3)
            assert all(w.keyboard is None for w in server.since(closed_at))


async def test_outside_a_declared_shift_nothing_is_opened(mosquitto, run_edge):
    """T8: not even before the first window ends."""
    never = Shift(days=(), start="09:00", end="17:00")
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH, shifts=(never,)):
            await wait_until(after(server, 2))
        assert Scripted.opened == []
        assert all(set(w.absent.values()) == {Absence.WITHHELD} for w in server.windows)


@pytest.mark.parametrize(
    ("fails", "state", "why"),
    [
        ("device", "disconnected", "no such device"),
        ("bug", "fault", "ZeroDivisionError: a driver's bug"),
    ],
)
async def test_a_failing_collector_is_said_and_tried_again(mosquitto, run_edge, fails, state, why):
    with StandIn(mosquitto.port) as server:
        options = {"scripted": {"fails": fails}}
        async with run_edge(mosquitto.port, BOTH, options=options) as edge:
            await wait_until(after(server, 2))
            await wait_until(lambda: len(Scripted.opened) >= 3)
            # The page is all that somebody sees whose edge was started by the system.
            assert edge.process.report()["troubles"]["heart"] == why
            await edge.process.obey("pause")
            await wait_until(lambda: not edge.process.report()["troubles"])
        assert server.windows[-1].absent[Channel.HEART] in {state, Absence.WITHHELD}
        said = [line for line in edge.lines if "collector scripted" in line]
        assert len(said) == 1  # once, not at every attempt
        assert "\n" not in said[0]


def test_a_wrong_option_is_named_as_it_stands_in_the_configuration():
    """A table [voice] is refused, so nobody may be sent to look for one."""
    sink = supervise.Sink(lambda _: None, lambda _: None, lambda _: None)
    with pytest.raises(ConfigurationError, match=r"^\[edge\.options\.hid\] unknown key 'chanels'"):
        supervise.Supervisor("hid", {"chanels": []}, SystemTime(), sink, Random(1))


async def test_the_last_words_blame_what_the_end_waits_for(mosquitto, run_edge, monkeypatch):
    """A person who is told that the disk hangs looks at the disk."""
    async with run_edge(mosquitto.port, BOTH) as edge:
        process, said = edge.process, {}
        say_goodbye, close = process._publisher.stop, process._outbox.close

        async def stop(*, goodbye: bool) -> None:
            said["broker"] = process.last_words()
            await say_goodbye(goodbye=goodbye)

        def close_file() -> None:
            said["disk"] = process.last_words()
            close()

        monkeypatch.setattr(process._publisher, "stop", stop)
        monkeypatch.setattr(process._outbox, "close", close_file)
    assert said["broker"].startswith("the broker does not answer, so this ends without it")
    assert said["disk"].startswith("the disk does not answer")
    assert process.last_words().startswith("a part of this program does not answer")


async def test_a_missing_driver_is_one_line_with_the_command_and_the_edge_runs_on(
    mosquitto, run_edge, monkeypatch
):
    lacking = supervise.BuiltIn("no_such_driver:create", frozenset({Channel.VOICE}), "voice")
    monkeypatch.setitem(supervise.BUILT_IN, "lacking", lacking)
    with StandIn(mosquitto.port) as server:
        collectors = ("lacking", "scripted")
        async with run_edge(mosquitto.port, Channel, collectors=collectors) as edge:
            await wait_until(
                lambda: any(w.absent == {Channel.VOICE: Absence.FAULT} for w in server.windows)
            )
        (line,) = [line for line in edge.lines if "lacking" in line]
        assert "pip install 'agent-wellbeing[voice]'" in line


async def test_wrong_options_end_the_start(mosquitto, run_edge):
    with pytest.raises(ConfigurationError, match="bad is 1"):
        async with run_edge(mosquitto.port, BOTH, options={"scripted": {"bad": 1}}):
            pass


async def test_a_second_edge_of_the_same_source_is_refused(mosquitto, run_edge):
    async with run_edge(mosquitto.port, BOTH):
        with pytest.raises(StateError, match="another edge"):
            async with run_edge(mosquitto.port):
                pass


async def test_the_farewell_is_polite_and_the_status_honest(mosquitto, run_edge):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, [Channel.HEART]) as edge:
            await wait_until(
                lambda: any(s.links.get(Channel.HEART) == "ok" for s in server.statuses)
            )
            run = edge.process.report()["run"]
        await wait_until(lambda: not server.statuses[-1].online)
        assert {s.run for s in server.statuses} == {run}
        assert server.statuses[-2].links[Channel.KEYBOARD] == Absence.WITHHELD


async def test_without_a_broker_windows_are_kept_and_sent_later(mosquitto, run_edge):
    mosquitto.stop()
    async with run_edge(mosquitto.port, BOTH) as edge:
        await wait_until(lambda: edge.process.report()["held"] >= 4)
        await wait_until(lambda: any("no broker" in line for line in edge.lines))
        mosquitto.start()
        with StandIn(mosquitto.port) as server:
            await wait_until(lambda: edge.process.report()["held"] <= 1)
            (numbers,) = server.runs.values()
            assert numbers == list(range(len(numbers)))


async def test_telephony_that_died_in_a_call_holds_no_notice_for_ever(mosquitto, run_edge):
    """A6: what a broker retained of a call of yesterday is none; nobody ends it any more."""
    heard: list[ContextState] = []

    class Hearing(Companion):
        def take_told(self, message):
            heard.append(message.state)

    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH, companions=[Hearing()]) as edge:
            await wait_until(after(server, 1))
            now_at = edge.process.now_at()
            for age in (timedelta(0), CONTEXT_BELIEVED):
                message = ContextMessage(at=now_at - age, state=ContextState.ON_CALL)
                server.connection.publish(topics.context("main", "k7"), codec.encode(message))
            await wait_until(lambda: len(heard) == 2)
    assert heard == [ContextState.ON_CALL, ContextState.READY]


async def test_what_a_collector_lost_is_counted_and_shown(mosquitto, run_edge):
    async with run_edge(mosquitto.port, BOTH) as edge:
        sink = edge.process._supervisors[0]
        sink._take_note(Note(lost=3))
        sink._take_note(Note(lost=4))
        sink._take_note(Note(unreadable=2))
        sink._take_note(Note(unreadable=1))
        report = edge.process.report()
    assert report["not_kept_up"] == {"scripted": 7}
    assert report["unreadable"] == {"scripted": 3}
    assert "  scripted: lost 7 times, this machine was too busy" in told(report)
    assert "  scripted: what its device said and made no sense: 3" in told(report)


async def test_a_pause_in_one_edge_stops_the_agents_other_one_within_a_window(mosquitto, run_edge):
    with StandIn(mosquitto.port):
        async with run_edge(mosquitto.port, BOTH) as first, run_edge(
            mosquitto.port, source="laptop"
        ) as second:  # fmt: skip
            await wait_until(lambda: sum(one.is_open for one in Scripted.opened) == 2)
            await first.process.obey("pause")
            await wait_until(lambda: not any(one.is_open for one in Scripted.opened))
            await second.process.obey("withdraw", ("heart",))
            await wait_until(lambda: first.process.report()["consent"] == ["keyboard"])
            for edge in (first, second):
                assert edge.process.report()["stopped_because"] == ["paused"]


async def test_an_edge_that_hangs_keeps_no_pause_from_the_others(
    mosquitto, run_edge, tmp_path, monkeypatch
):
    monkeypatch.setattr(control, "_TIMEOUT_S", 0.5)
    state = tmp_path / "state"
    silent = socket.create_server(("127.0.0.1", 0))  # takes the call and never answers
    async with run_edge(mosquitto.port, BOTH) as edge:
        await wait_until((state / "main" / "k7" / "control-pc.json").exists)
        port = silent.getsockname()[1]
        hanging = state / "main" / "k7" / "control-aaa.json"  # asked first
        hanging.write_text(f'{{"port": {port}, "token": "x", "pid": 1}}')
        settings = EdgeSettings(agent="k7", state_dir=str(state))
        with pytest.raises(StateError, match="does not answer"):
            await asyncio.to_thread(command_everywhere, settings, None, "pause", ())
        await wait_until(lambda: edge.process.report()["stopped_because"] == ["paused"])
    silent.close()


async def test_each_reason_why_there_is_no_broker_is_said_once_and_shown(
    mosquitto_factory, run_edge
):
    """A broker that was away, and then does not let us in: the second is what is to be mended."""
    broker = mosquitto_factory(passwords={"else": "x"})
    broker.stop()
    async with run_edge(broker.port, BOTH) as edge:
        await wait_until(lambda: any("Connection refused" in line for line in edge.lines))
        broker.start()
        await wait_until(lambda: any("Not authorized" in line for line in edge.lines))
        shown = told(edge.process.report())
        await wait_until(lambda: edge.process.report()["windows"] >= 4)
    assert any("not connected (Not authorized; check [broker] username" in line for line in shown)
    lines = [line for line in edge.lines if "no broker" in line]
    assert all(f"127.0.0.1:{broker.port}" in line for line in lines)
    assert len(lines) == len(set(lines))
