"""The agent's page under axe, in both languages, by day and by night, on a phone and enlarged."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.rig.waiting import PATIENCE_S
from tests.sensors.edge.page.visiting import HEARD, filled, visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.needs("mosquitto", "chromium")

ROOT = Path(__file__).parents[4]
SHOTS = ROOT / "test-output"
AXE = ROOT / "tests" / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIRST = [(1280, "light", "zh-CN"), (390, "dark", "en-US")]
LATER = [(1280, "light", "en-US"), (390, "dark", "zh-CN"), (640, "dark", "en-US"),
         (320, "light", "zh-CN")]  # fmt: skip
"""640 and 320 px are a screen of 1280 at 200 % and 400 % zoom."""


@pytest.mark.parametrize("screens", [FIRST, LATER], ids=["first", "later"])
def test_axe_finds_nothing_and_everything_fits_in_both_languages_by_day_and_by_night(
    server, run_page, browser, screens
):
    SHOTS.mkdir(exist_ok=True)
    with run_page(server.port, *HEARD) as page:
        if screens is LATER:
            filled(page, server)
        for width, scheme, language in screens:
            tested = browser.new_page(
                color_scheme=scheme,
                locale=language,
                viewport={"width": width, "height": 900},
                reduced_motion="reduce",
                bypass_csp=True,  # lets no other script in, and here one is wanted
            )
            tested.set_default_timeout(PATIENCE_S * 1e3)
            visit(tested, page)
            open_all(tested)
            fits(tested, width)
            if screens is LATER:
                shot = SHOTS / f"page-{language}-{scheme}-{width}.png"
                tested.screenshot(path=shot, full_page=True)
            if width in {1280, 390}:
                accessible(tested)
            tested.close()


def fits(tested: "Page", width: int) -> None:
    assert tested.evaluate(TOO_WIDE) == []
    assert tested.evaluate("document.documentElement.scrollWidth") <= width
    assert tested.evaluate(TOO_SMALL) == []
    moves = tested.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
    assert moves == "auto"


def accessible(tested: "Page") -> None:
    tested.add_script_tag(path=AXE)
    found = tested.evaluate("rules => axe.run({runOnly: rules})", RULES)
    assert len(found["passes"]) > 20
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []
    tested.evaluate("document.documentElement.removeAttribute('lang')")  # it can find something
    found = tested.evaluate("axe.run({runOnly: {type: 'rule', values: ['html-has-lang']}})")
    assert len(found["violations"]) == 1


def open_all(tested: "Page") -> None:
    tested.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


TOO_WIDE = (
    "[...document.querySelectorAll('body *')].filter(node => !node.closest('.wide, .unseen')"
    " && node.getBoundingClientRect().right > innerWidth + 1).map(node => node.outerHTML)"
)
TOO_SMALL = (
    "[...document.querySelectorAll('button, select, summary, label.tick')].filter(node =>"
    " node.getBoundingClientRect().height < 24).map(node => node.outerHTML)"
)
"""WCAG 2.2, 2.5.8: 24 px at least."""
