"""The firmware, compiled once for all tests of one process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.firmware_bridge.firmware.building import LIBRARY, Lines, compile_c
from tests.rig import needs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the compiler, through the fixtures at the latest."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "gcc" not in needs.programs_of(item):
            item.add_marker(pytest.mark.needs("gcc"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives the program of one C file, with sanitizers."""
    folder = tmp_path_factory.mktemp("firmware")

    def program(source: str) -> Path:
        target = folder / Path(source).stem
        return target if target.exists() else compile_c(target, source, *LIBRARY)

    return program


@pytest.fixture(scope="session")
def message_lines(built: Callable[[str], Path]) -> Iterator[Lines]:
    """Return the program that turns lines into frames, and frames into lines."""
    with Lines(built("checks/message_lines.c")) as lines:
        yield lines


@pytest.fixture
def board_lines(built: Callable[[str], Path]) -> Iterator[Lines]:
    """Return a fresh board that is driven by lines."""
    with Lines(built("checks/board_lines.c")) as lines:
        yield lines
