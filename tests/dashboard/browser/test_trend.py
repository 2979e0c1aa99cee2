"""The floor over time, looked at in a real browser: by day and by week, wide and on a phone."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.browser.running import Floor
from tests.dashboard.browser.screen import fits, shoot, speak, visit
from tests.dashboard.browser.test_reading import AXE, RULES
from tests.dashboard.floors import NAMES, utc_now
from tests.dashboard.made_summaries import minutes

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.needs("mosquitto", "chromium")

AXE_ON_OURS = "rules => axe.run({include: [['.st-key-section-trend']]}, {runOnly: rules})"
HOUR = timedelta(hours=1)


def live_through(floor: Floor) -> None:
    """Let a week of shifts go by, each with a harder hour, and an hour in which few were there."""
    now = utc_now()
    for day in range(6):
        began = now - timedelta(days=day, hours=7)
        for hour in range(7):
            few = hour == 3
            people = list(NAMES)[: 3 if few else 7]
            strain = 0.6 if hour == 5 else 0.05 * (hour + day)
            calm = {"different": 0.0, "as_usual": 0.9, "no_data": 0.1}
            hard = {"different": strain, "as_usual": 1 - strain - 0.1, "no_data": 0.1}
            at, every = began + hour * HOUR, timedelta(minutes=5)
            floor.store.write(minutes(people[::2], at, HOUR, hard, every))
            floor.store.write(minutes(people[1::2], at, HOUR, calm, every))


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("zh_CN", 390)])
def test_looking_back_by_key_in_both_languages(
    floor: Floor, chromium: "Page", language: str, width: int
) -> None:
    page = chromium
    page.set_viewport_size({"width": width, "height": 1100})
    live_through(floor)
    visit(page, floor)
    speak(page, language)
    way = page.get_by_role("link", name="回看" if language == "zh_CN" else "Look back")
    way.focus()
    way.press("Enter")
    page.locator(".wb-columns").first.wait_for()
    shoot(page, f"past-shift-{language}-{width}")
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    most = re.compile(
        "不同.周" if language == "zh_CN" else r"differed \((Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
    )
    page.get_by_text(most).first.wait_for()
    folded = page.locator("summary").first
    folded.focus()
    folded.press("Enter")
    page.wait_for_timeout(2500)  # two redraws: what was unfolded stays so
    assert page.locator(".wb-details table").first.is_visible()
    fits(page)
    shoot(page, f"past-week-{language}-{width}")
    page.add_script_tag(path=AXE)
    found = page.evaluate(AXE_ON_OURS, RULES)
    assert len(found["passes"]) > 5
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []
