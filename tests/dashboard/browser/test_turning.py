"""From page to page: whole at the end, whatever comes late, and read on from its heading."""

import time
from typing import TYPE_CHECKING

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.dashboard.browser.running import Floor
from tests.dashboard.browser.screen import visit
from tests.rig.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute

pytestmark = pytest.mark.needs("mosquitto", "chromium")


class LateRefreshes:
    """Stands between browser and server: after each turn the old page's last refresh comes again.

    On a busy machine the browser's timer does that by itself about once in five turns by
    button; here it does at every turn.
    """

    def __init__(self, page: "Page") -> None:
        self.refreshed: list[str] = []
        self.turned = 0
        self._last = b""
        page.route_web_socket("**/_stcore/stream", self._between)

    def _between(self, browser: "WebSocketRoute") -> None:
        server = browser.connect_to_server()

        def passed_on(raw: str | bytes) -> None:
            server.send(raw)
            assert isinstance(raw, bytes)
            asked = BackMsg.FromString(raw).rerun_script
            if asked.fragment_id:
                self._last = raw
                self.refreshed.append(asked.page_script_hash)
            elif self._last and not self.turned:
                self.turned += 1
                for _ in range(40):
                    server.send(self._last)
                    time.sleep(0.005)

        browser.on_message(passed_on)


def test_page_is_whole_though_a_refresh_of_the_page_before_comes_late(
    floor: Floor, chromium: "Page"
) -> None:
    page = chromium
    late = LateRefreshes(page)
    visit(page, floor)
    wait_until(lambda: page.wait_for_timeout(50) or late.refreshed, what="a refresh")
    page.get_by_role("link", name="Look back").click()
    page.wait_for_url("**/past")
    before = late.refreshed[0]

    def kept_up() -> bool:
        page.wait_for_timeout(50)  # lets what the browser said arrive
        return sum(one != before for one in late.refreshed) > 2

    wait_until(kept_up, what="the new page to refresh itself")
    assert late.turned == 1
    page.locator(".st-key-section-trend").wait_for()
    page.get_by_role("button", name="English").wait_for()
    page.get_by_role("link", name="Back to people").click()
    page.get_by_text("Everyone else").wait_for()


def test_turning_by_key_reads_on_at_the_heading(floor: Floor, chromium: "Page") -> None:
    page = chromium
    visit(page, floor)
    page.get_by_role("link", name="No faults").press("Enter")
    page.get_by_role("heading", name="Technical").wait_for()
    held = "document.activeElement.innerText || ''"
    wait_until(lambda: page.evaluate(held).startswith("Technical"), what="focus on the heading")
    page.keyboard.press("Tab")
    assert page.evaluate(held).startswith("Back to people")
    page.keyboard.press("Enter")
    page.get_by_text("Everyone else").wait_for()
    wait_until(lambda: "as usual" in page.evaluate(held), what="focus on the header line")
