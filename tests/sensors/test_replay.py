from contextlib import aclosing
from pathlib import Path

import pytest

from sensors.collector import Collector, Link, Reading
from sensors.errors import ConfigurationError, RecordingError
from sensors.messages import Absence
from sensors.recording import write_recording
from sensors.replay import ReplayCollector
from sensors.signals import Channel
from tests.rig.clocks import SteppedClock


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "r.csv"
    write_recording(
        path, [(0.0, "label", 0), (1.0, "hr_bpm", 70), (2.5, "eda_us", 0.5), (4.0, "hr_bpm", 72)]
    )
    return path


async def collected(collector: ReplayCollector, clock: SteppedClock, count: int):
    found = []
    async with aclosing(collector.readings(clock)) as readings:
        async for item in readings:
            found.append(item)
            if len(found) == count:
                break
    return found


async def test_rows_come_at_their_own_time_and_then_the_device_is_gone(recording):
    collector = ReplayCollector({"file": str(recording)})
    assert isinstance(collector, Collector)
    assert collector.channels == {Channel.HEART, Channel.MODULES}
    found = await collected(collector, SteppedClock(), 7)
    assert found[:2] == [Link(Channel.HEART, "ok"), Link(Channel.MODULES, "ok")]
    assert found[2:5] == [
        Reading("hr_bpm", 70, 1001.0),
        Reading("eda_us", 0.5, 1002.5),
        Reading("hr_bpm", 72, 1004.0),
    ]
    assert {item.state for item in found[5:]} == {Absence.DISCONNECTED}


async def test_a_loop_begins_again_at_the_end(recording):
    found = await collected(ReplayCollector({"file": recording, "loop": True}), SteppedClock(), 8)
    assert found[5] == Reading("hr_bpm", 70, 1005.0)


async def test_only_the_channels_asked_for_are_read(recording):
    collector = ReplayCollector({"file": recording, "channels": ["modules"]})
    found = await collected(collector, SteppedClock(), 3)
    assert found[0] == Link(Channel.MODULES, "ok")
    assert found[1] == Reading("eda_us", 0.5, 1002.5)
    assert found[2] == Link(Channel.MODULES, Absence.DISCONNECTED)


def test_wrong_options_say_what_is_known(tmp_path):
    with pytest.raises(ConfigurationError, match="known: file"):
        ReplayCollector({"path": "x"})
    with pytest.raises(ConfigurationError, match="needs the option file"):
        ReplayCollector({})
    with pytest.raises(RecordingError, match="cannot read"):
        ReplayCollector({"file": str(tmp_path / "none.csv")})
