from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import wait_until
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
