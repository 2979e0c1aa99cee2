from collections.abc import Iterator
from pathlib import Path

import pytest

from sensors.voice import microphone
from tests.rig import wait_until
from tests.rig.waiting import PATIENCE_S
from tests.sensors.voice.sound_desk import listeners, running_sound_server


@pytest.fixture
def sound_server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a sound server with a virtual microphone."""
    with running_sound_server(tmp_path) as environ:
        yield environ


@pytest.fixture
def desk(sound_server, monkeypatch):
    """The same, set in this process."""
    for name, value in sound_server.items():
        monkeypatch.setenv(name, value)
    return sound_server


@pytest.fixture
def nobody_stays():
    yield
    wait_until(lambda: not listeners(), what="no listening process is left")


@pytest.fixture
def patient(monkeypatch):
    """Give listeners longer than an agent's machine does: ours may be ten times as busy."""
    for name in ("_OPEN_WITHIN_S", "_WINDOW_WITHIN_S", "_LIST_WITHIN_S"):
        monkeypatch.setattr(microphone, name, PATIENCE_S)
