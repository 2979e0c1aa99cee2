"""A radar to plug in."""

from collections.abc import Callable, Iterator

import pytest

from tests.firmware_bridge.display.radar import ScriptedRadar


@pytest.fixture
def plug_in() -> Iterator[Callable[..., ScriptedRadar]]:
    """Return a function that plugs a radar in; all are unplugged afterwards."""
    plugged: list[ScriptedRadar] = []

    def plug(*args: object, **options: object) -> ScriptedRadar:
        plugged.append(ScriptedRadar(*args, **options))
        return plugged[-1]

    yield plug
    for radar in plugged:
        radar.unplug()
