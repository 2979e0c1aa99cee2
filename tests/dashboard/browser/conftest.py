"""One floor, one broker and one browser for each file; what a test put on the floor goes with it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.browser.running import Floor, running_floor
from tests.rig import Mosquitto
from tests.rig.display import chromium_page
from tests.rig.waiting import PATIENCE_S

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


@pytest.fixture(scope="module")
def module_floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    try:
        with running_floor(tmp_path_factory.mktemp("floor"), broker) as found:
            yield found
    finally:
        broker.stop()


@pytest.fixture
def floor(module_floor: Floor) -> Iterator[Floor]:
    """Return the floor of this file, without an alert or a decision."""
    yield module_floor
    module_floor.server.forget()


@pytest.fixture(scope="module")
def browsing() -> Iterator["BrowserContext"]:
    """Return a browser that has read Streamlit's scripts once a page was open."""
    with chromium_page() as page:
        browser = page.context.browser
        assert browser is not None
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_S * 1e3)
        yield context


@pytest.fixture
def chromium(browsing: "BrowserContext") -> Iterator["Page"]:
    page = browsing.new_page()
    yield page
    page.close()
    browsing.clear_cookies()
