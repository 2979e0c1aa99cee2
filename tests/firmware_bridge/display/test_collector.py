"""A radar as a collector, on a real pseudo-terminal, and through the edge to a real broker."""

import asyncio
import threading
import tomllib
from contextlib import aclosing
from importlib import import_module
from pathlib import Path

import pytest

from firmware_bridge.display import device
from firmware_bridge.display.collector import DisplayCollector
from sensors.collector import Collector, Link, Note, Reading
from sensors.edge.collecting import supervise
from sensors.edge.collecting.clock import SystemTime
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import Absence
from sensors.signals import Channel
from tests.firmware_bridge.display.radar import BASIC_EXAMPLE, basic, engineering
from tests.rig import wait_until_async
from tests.sensors.edge.conftest import run_edge  # noqa: F401 - a fixture
from tests.sensors.edge.standin import StandIn

OK = Link(Channel.MODULES, "ok")


def collector(radar, **options):
    return DisplayCollector({"port": radar.port} | options)


async def readings_of(radar, wanted, **options):
    """Return what the collector says until `wanted` of it is true."""
    found = []
    async with aclosing(collector(radar, **options).readings(SystemTime())) as items:
        async for item in items:
            found.append(item)
            if wanted(item):
                return found
    raise AssertionError(found)


def is_presence(item):
    return isinstance(item, Reading) and item.signal == "presence"


async def test_who_sits_there_and_how_far(plug_in):
    radar = plug_in()
    made = collector(radar)
    assert isinstance(made, Collector)
    assert made.channels == {Channel.MODULES}
    clock = SystemTime()
    async with aclosing(made.readings(clock)) as items:
        found = [await anext(items) for _ in range(6)]
    assert found[:2] == [
        Note(device="Hi-Link LD2410, firmware V1.02.22062416, gates of 0.75 m"),
        OK,
    ]
    assert [(i.signal, i.value) for i in found[2:]] == [("presence", 1.0), ("distance_m", 0.62)] * 2
    assert all(0 <= clock.monotonic_s() - i.at_monotonic_s < 60 for i in found[2:])
    assert radar.is_engineering
    assert not radar.is_configuring


async def test_a_radar_that_hears_nothing_is_read_as_it_is(plug_in, monkeypatch):
    monkeypatch.setattr(device, "ANSWER_WITHIN_S", 0.05)
    radar = plug_in(obeys=False)
    found = await readings_of(radar, is_presence)
    assert found[0] == Note(device="radar (LD2410) that takes no commands; read as it is")


async def test_early_firmware_does_not_know_its_gates(plug_in):
    radar = plug_in(knows_resolution=False)
    found = await readings_of(radar, is_presence, engineering=False)
    assert "gates of unknown width" in found[0].device
    assert not radar.is_engineering


async def test_the_width_of_the_gates_is_set_once_and_lasts(plug_in, monkeypatch):
    monkeypatch.setattr(device, "RESTART_S", 0.0)
    radar = plug_in()
    for _ in range(2):
        found = await readings_of(radar, is_presence, resolution_m=0.2)
        assert "gates of 0.2 m" in found[0].device
        assert radar.is_engineering  # also after its restart
    assert radar.gates == 1
    assert radar.commands.count(0xAA) == radar.commands.count(0xA3) == 1


async def test_a_radar_that_cannot_set_its_gates_says_so(plug_in, monkeypatch):
    monkeypatch.setattr(device, "RESTART_S", 0.0)
    radar = plug_in(knows_resolution=False)
    with pytest.raises(DeviceError, match=r"does not take resolution_m 0\.2; leave the key out"):
        await readings_of(radar, is_presence, resolution_m=0.2)


async def test_light_where_it_was_calibrated(plug_in):
    found = await readings_of(
        plug_in(),
        lambda item: isinstance(item, Reading) and item.signal == "ambient_light_lux",
        light_lux=[[0, 0], [192, 600]],
    )
    assert found[-1].value == pytest.approx(300.0)


async def test_a_radar_that_repeats_itself_is_a_fault_until_it_moves_again(plug_in):
    is_frozen = True

    def freezes(number, is_engineering):
        energy = 7 if is_frozen and number >= 20 else number % 100
        return engineering(gates=bytes([energy] * 18))

    states, words = [], ""
    async with aclosing(collector(plug_in(freezes), stuck_s=0.2).readings(SystemTime())) as items:
        async for item in items:
            if isinstance(item, Link):
                states.append(item.state)
            elif states and states[-1] == Absence.FAULT:
                assert isinstance(item, Note)  # and no reading
                words, is_frozen = item.text, False
            if states == ["ok", Absence.FAULT, "ok"]:
                break
    assert "sends the same report again and again; unplug it" in words


async def test_it_may_repeat_itself_where_that_is_allowed(plug_in):
    radar = plug_in(lambda *_: BASIC_EXAMPLE)
    found, count = [], 0
    async with aclosing(collector(radar, stuck_s=0).readings(SystemTime())) as items:
        async for item in items:
            found.append(item)
            count += is_presence(item)
            if count == 120:
                break
    assert [item for item in found if isinstance(item, Link)] == [OK]


async def test_noise_cut_and_changed_frames_between_good_ones_do_no_harm(plug_in):
    def spoilt(number, is_engineering):
        good = basic(stationary=(62, 40 + number % 20))
        return (good, good[:11], b"\xf4\xf3" + good[3:], bytes([number % 256] * 9))[number % 4]

    count, radar = 0, plug_in(spoilt)
    async with aclosing(collector(radar).readings(SystemTime())) as items:
        async for item in items:
            if isinstance(item, Reading):
                count += 1
                assert (item.signal, item.value) in {("presence", 1.0), ("distance_m", 0.62)}
            if count == 100:
                break


async def test_unplugged_in_the_middle_of_a_frame(plug_in):
    count, cut = 0, threading.Event()

    def say(_number, _is_engineering):
        if not count:  # whole until one was read: what comes before a port is open is thrown away
            return basic()
        cut.set()
        return basic()[:11]

    radar = plug_in(say)

    async def watch():
        nonlocal count
        async with aclosing(collector(radar, engineering=False).readings(SystemTime())) as items:
            async for item in items:
                count += is_presence(item)
                if count == 1:
                    await asyncio.to_thread(cut.wait, 60)
                    await asyncio.to_thread(radar.unplug)

    with pytest.raises(DeviceError, match=rf"{radar.port} is gone; plug the board in again"):
        await watch()
    assert count >= 1


async def test_closing_lets_the_radar_report_again(plug_in, monkeypatch):
    """A withdrawal while it is configured must not leave it silent."""
    monkeypatch.setattr(device, "ANSWER_WITHIN_S", 600.0)
    radar = plug_in(mute={0xA0})
    items = collector(radar).readings(SystemTime())
    waiting = asyncio.ensure_future(anext(items))
    await wait_until_async(lambda: radar.is_configuring)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await items.aclose()
    await wait_until_async(lambda: not radar.is_configuring)


@pytest.mark.parametrize(
    ("sent", "silence_s", "words"),
    [
        pytest.param(b"", 0.3, r"has been silent for 0\.3 s; has the radar power", id="silent"),
        pytest.param(
            b"\x6e\x02\x3e\x00\x62" * 9,
            2.0,  # a busy machine may read nothing for a while
            r"no report of an LD2410 .*bytes skipped",
            id="other",
        ),
    ],
)
async def test_a_radar_that_says_nothing_is_a_device_error(
    plug_in, monkeypatch, sent, silence_s, words
):
    monkeypatch.setattr(device, "ANSWER_WITHIN_S", 0.05)
    radar = plug_in(lambda *_: sent, obeys=False)
    with pytest.raises(DeviceError, match=words):
        await readings_of(radar, is_presence, silence_s=silence_s)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({}, r"\[display\] port is ''", id="no port"),
        pytest.param({"baud": 1}, "baud is 1; expected 50", id="baud"),
        pytest.param({"max_distance_m": 0}, "max_distance_m is 0.* expected 0.1 to 10", id="far"),
        pytest.param({"resolution_m": 0.5}, r"resolution_m is 0\.5; expected 0\.2", id="gates"),
        pytest.param({"stuck_s": -1}, "stuck_s is -1", id="stuck"),
        pytest.param({"silence_s": 0}, "silence_s is 0", id="silence"),
        pytest.param({"light_lux": [[0, 1]]}, "at least two points", id="one point"),
        pytest.param({"light_lux": [[9, 1], [9, 2]]}, "rising", id="not rising"),
        pytest.param({"light_lux": [[0, -1], [9, 2]]}, "light_lux is", id="dark"),
        pytest.param({"ports": 1}, "did you mean 'port'", id="key"),
    ],
)
def test_wrong_options_are_named(options, words):
    given = options if not options or "ports" in options else {"port": "p"} | options
    with pytest.raises(ConfigurationError, match=words):
        DisplayCollector(given)


def test_it_is_registered_for_the_edge():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    target = project["project"]["entry-points"]["wellbeing.collectors"]["display"]
    module, _, attribute = target.partition(":")
    assert getattr(import_module(module), attribute) is DisplayCollector


@pytest.mark.needs("mosquitto")
async def test_presence_arrives_at_the_broker_and_is_no_fault_when_nobody_is_there(
    plug_in, mosquitto, run_edge, monkeypatch  # noqa: F811 - the fixture
):  # fmt: skip
    target = supervise.BuiltIn("firmware_bridge.display.collector:DisplayCollector")
    monkeypatch.setitem(supervise.BUILT_IN, "display", target)
    someone = True

    def script(number, is_engineering):
        energy = 40 + number % 20
        return basic(2, stationary=(62, energy)) if someone else basic(0, (0, energy), (0, 9), 0)

    radar = plug_in(script)
    with StandIn(mosquitto.port) as server:
        # The edge's clock runs ten times as fast: a busy machine is no silent radar.
        options = {"display": {"port": radar.port, "silence_s": 600.0}}
        given = {"collectors": ("display",), "options": options}
        async with run_edge(mosquitto.port, [Channel.MODULES], **given) as edge:
            await wait_until_async(
                lambda: any(
                    w.modules and w.modules.values == {"presence": 1.0, "distance_m": 0.62}
                    for w in server.windows
                )
            )
            someone = False
            await wait_until_async(
                lambda: (
                    server.windows[-1].modules is not None
                    and server.windows[-1].modules.values == {"presence": 0.0}
                )
            )
            await wait_until_async(lambda: "LD2410" in str(edge.process.report()))
            radar.unplug()
            await wait_until_async(
                lambda: server.windows[-1].absent.get(Channel.MODULES) == Absence.DISCONNECTED
            )
        assert not any(b"firmware" in payload for _, payload in server.payloads)
