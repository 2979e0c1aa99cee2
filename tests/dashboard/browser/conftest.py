"""The floor of the browser tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.browser.running import Floor, running_floor
from tests.rig import Mosquitto


@pytest.fixture
def floor(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Floor]:
    with running_floor(tmp_path, mosquitto) as found:
        yield found
