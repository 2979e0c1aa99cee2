"""The other pages in a real browser: the floor over time, and turning from page to page."""

import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.dashboard.browser.running import Floor
from tests.dashboard.browser.screen import (
    arrive,
    axe_finds_nothing,
    fits,
    shoot,
    speak,
    visit,
)
from tests.dashboard.floors import NAMES, asking, utc_now
from tests.dashboard.made_summaries import minutes
from tests.rig.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute

pytestmark = pytest.mark.needs("mosquitto", "chromium")

HOUR = timedelta(hours=1)
DAYS = 6


@pytest.fixture(scope="module")
def week(module_floor: Floor) -> Floor:
    """Let a week of shifts go by, each with a harder hour, and an hour in which few were there."""
    now = utc_now()
    for day in range(DAYS):
        began = now - timedelta(days=day, hours=7)
        for hour in range(7):
            few = hour == 3
            people = list(NAMES)[: 3 if few else 7]
            strain = 0.6 if hour == 5 else 0.05 * (hour + day)
            calm = {"different": 0.0, "as_usual": 0.9, "no_data": 0.1}
            hard = {"different": strain, "as_usual": 1 - strain - 0.1, "no_data": 0.1}
            at, every = began + hour * HOUR, timedelta(minutes=5)
            module_floor.store.write(minutes(people[::2], at, HOUR, hard, every))
            module_floor.store.write(minutes(people[1::2], at, HOUR, calm, every))
    return module_floor


@pytest.mark.usefixtures("week")
@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("zh_CN", 390)])
def test_looking_back_by_key_in_both_languages(
    floor: Floor, chromium: "Page", language: str, width: int
) -> None:
    page = chromium
    page.set_viewport_size({"width": width, "height": 1100})
    visit(page, floor)
    speak(page, language)
    way = page.get_by_role("link", name="回看" if language == "zh_CN" else "Look back")
    way.focus()
    way.press("Enter")
    page.locator(".wb-columns").first.wait_for()
    shoot(page, f"past-shift-{language}-{width}")
    folded = page.get_by_test_id("stExpander").first
    folded.locator("summary").press("Enter")
    folded.locator("table").wait_for()
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    # What was unfolded stays so while day after day is still being read and drawn. Only the words
    # of a week, each a line, are dated.
    days = folded.get_by_role("row", name=re.compile(r"\d{4}-\d\d-\d\d .* %"))
    wait_until(lambda: days.count() >= DAYS, what="every day in words")
    days.first.wait_for()
    fits(page)
    shoot(page, f"past-week-{language}-{width}")
    axe_finds_nothing(page)


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


def test_turn_that_the_server_gives_up_is_asked_for_again(floor: Floor, chromium: "Page") -> None:
    """As Streamlit does when a refresh comes while the turn waits: here it never hears of it."""
    page, lost = chromium, []

    def between(browser: "WebSocketRoute") -> None:
        server = browser.connect_to_server()

        def passed_on(raw: str | bytes) -> None:
            assert isinstance(raw, bytes)
            asked = BackMsg.FromString(raw).rerun_script
            if asked.page_script_hash and asked.page_script_hash not in known and len(lost) < 2:
                lost.append(asked.page_script_hash)
            else:
                server.send(raw)

        browser.on_message(passed_on)

    known: set[str] = set()
    late = LateRefreshes(page)
    visit(page, floor)
    wait_until(lambda: page.wait_for_timeout(50) or late.refreshed, what="a refresh")
    known |= {*late.refreshed, ""}
    page.route_web_socket("**/_stcore/stream", between)
    page.reload()
    arrive(page)
    page.get_by_role("link", name="Look back").click()
    page.locator(".st-key-section-trend").wait_for()
    assert len(lost) == 2


def test_turning_by_key_reads_on_at_the_heading(floor: Floor, chromium: "Page") -> None:
    page = chromium
    visit(page, floor)
    page.get_by_role("link", name="No faults").press("Enter")
    page.get_by_role("heading", name="Technical").wait_for()
    held = "document.activeElement.innerText || ''"
    wait_until(lambda: page.evaluate(held).startswith("Technical"), what="focus on the heading")
    wait_until(lambda: page.title() == "Technical · Agent Wellbeing", what="the page's own title")
    floor.server.publish(asking("aaaaaaaa02", "k2", utc_now()))
    wait_until(lambda: page.title().startswith("1 needs you · Technical"), what="the title")
    assert page.locator(".st-key-told").get_attribute("role") == "status"
    page.keyboard.press("Tab")
    assert page.evaluate(held).startswith("Back to people")
    page.keyboard.press("Enter")
    page.get_by_text("Everyone else").wait_for()
    wait_until(lambda: "as usual" in page.evaluate(held), what="focus on the header line")
