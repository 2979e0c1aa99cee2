"""The screen is read aloud, in both languages, on a phone, and under axe, in a real browser."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from analytics.alerts import points_out
from sensors.messages import Action
from tests.dashboard.browser.running import Floor
from tests.dashboard.browser.screen import (
    axe_finds_nothing,
    card,
    fill,
    fits,
    redrawn,
    shoot,
    speak,
    visit,
)
from tests.dashboard.floors import SITE, asking, silence, utc_now
from tests.rig.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.needs("mosquitto", "chromium")


def test_assistive_technology_is_told(floor: Floor, chromium: "Page") -> None:
    page = chromium
    fill(floor.server)
    visit(page, floor)
    live = page.locator(".st-key-told")
    wait_until(lambda: live.get_attribute("aria-live") == "polite", what="the live region")
    assert live.get_attribute("role") == "status"
    region = live.element_handle()
    page.get_by_text("2 need you").wait_for()
    floor.server.publish(asking("aaaaaaaa02", "k2", utc_now()))
    page.get_by_text("3 need you").wait_for()
    # The same region: one that is replaced with its text is not read out.
    wait_until(lambda: region.inner_text().startswith("3 need you"), what="the region's words")
    assert region.evaluate("node => node.isConnected")
    assert "ago" not in region.inner_text()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.get_by_role("button", name="简体中文").click()
    page.get_by_text("3 项需要您").wait_for()
    wait_until(
        lambda: page.evaluate("document.documentElement.lang") == "zh-Hans", what="the language"
    )
    page.reload()  # the choice is this browser's, not only this tab's
    page.get_by_text("3 项需要您").wait_for()
    page.get_by_text("People asking").wait_for(state="detached")
    page.get_by_text("Signals · 1").wait_for(state="detached")
    shoot(page, "zh-1280")


@pytest.mark.parametrize(("language", "width"), [("en", 390), ("zh_CN", 390)])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    floor: Floor, chromium: "Page", language: str, width: int
) -> None:
    page = chromium
    page.set_viewport_size({"width": width, "height": 2200})
    fill(floor.server)
    floor.server.publish(asking("aaaaaaaa02", "k2", utc_now()))
    visit(page, floor)
    card(page, "aaaaaaaa02").get_by_role("button").first.wait_for()
    speak(page, language)
    card(page, "aaaaaaaa02").get_by_role("button").first.click()
    card(page, "aaaaaaaa02").locator("textarea").wait_for()
    page.locator(".st-key-look-aaaaaaaa01 button").click()
    page.locator(".st-key-yes-aaaaaaaa01 button").click()
    page.locator(".wb-bands").first.wait_for()
    fits(page)
    shoot(page, f"{language}-{width}")


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("zh_CN", 390)])
def test_silences_and_figures_are_read_and_a_silence_is_ended_by_key(
    floor: Floor, chromium: "Page", language: str, width: int
) -> None:
    page = chromium
    page.set_viewport_size({"width": width, "height": 1500})
    now, why = utc_now(), "fire drill on the second floor"
    first, second = (f"silence{width}{n}" for n in (1, 2))
    floor.store.write(
        [
            silence(first, "k3", now, timedelta(minutes=40), reason=why),
            silence(second, "k4", now, timedelta(minutes=90), reason=why),
        ]
    )
    fill(floor.server)
    visit(page, floor)
    speak(page, language)
    page.locator(f".st-key-card-silence-{second}").wait_for()
    title = "提醒的表现" if language == "zh_CN" else "How the alerts do"
    folded = page.locator("summary", has_text=title)
    folded.focus()
    folded.press("Enter")
    page.locator(".wb-figures").wait_for()
    redrawn(page, 3)  # what was unfolded stays so
    page.locator(".wb-figures", has_text="80 %").wait_for()
    fits(page)
    shoot(page, f"figures-{language}-{width}")
    axe_finds_nothing(page)
    page.keyboard.press("e")
    (ended,) = floor.decisions(1)
    assert (ended.action, ended.agent) == (Action.SILENCE, "k3")
    assert ended.until_at <= utc_now()
    floor.store.write([points_out.silence(SITE, ended, "billing", "lifted")])
    page.locator(f".st-key-card-silence-{first}").wait_for(state="detached")
    page.locator(f".st-key-card-silence-{second}").wait_for()
