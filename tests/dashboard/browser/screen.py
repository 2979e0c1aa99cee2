"""What the browser tests do with the supervisor's screen."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.dashboard.browser.running import Floor
from tests.dashboard.floors import Server, personal, team_alert, technical, utc_now
from tests.rig.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocketRoute

SHOTS = Path(__file__).parents[3] / "test-output"
AXE = Path(__file__).parents[2] / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE_ON_PAGE = "rules => axe.run(document, {runOnly: rules})"
TOO_WIDE = """[...document.querySelectorAll('[data-testid=stMain] *')]
    .filter(n => n.getBoundingClientRect().right > innerWidth + 1).map(n => n.className)"""


def fill(server: Server) -> None:
    """Let one of everything happen."""
    now = utc_now()
    server.publish(personal("aaaaaaaa01", "k1", now - timedelta(minutes=7)))
    server.publish(team_alert("aaaaaaaa03", now - timedelta(minutes=9)))
    server.publish(technical("aaaaaaaa04", "k5", now - timedelta(minutes=3)))


def visit(page: "Page", floor: Floor) -> None:
    page.goto(floor.url)
    arrive(page)


def arrive(page: "Page") -> None:
    """Return once the page and its script are there: before, the script sees no key and no click."""
    page.locator(".wb-lead").wait_for()
    page.wait_for_function("window.wellbeingWatching")


def card(page: "Page", alert_id: str) -> "Locator":
    return page.locator(f".st-key-card-{alert_id}")


def settled(page: "Page", alert_id: str) -> float:
    """Return where the card stands (px) once what the person just did has been drawn to its end."""
    seen: list[float] = []

    def rests() -> bool:
        box = card(page, alert_id).bounding_box()
        if box is None:  # replaced in this moment
            seen.clear()
            return False
        seen.append(box["y"])
        page.wait_for_timeout(100)
        return len(set(seen[-15:])) == 1 and len(seen) >= 15  # 1.5 s: longer than a redraw's pause

    wait_until(rests, what="the card to rest")
    return seen[-1]


def press(page: "Page", key: str, button: str) -> None:
    """Press `key` once the button that it belongs to is there."""
    card(page, "aaaaaaaa01").get_by_role("button", name=button).first.wait_for()
    page.keyboard.press(key)


def send_twice(page: "Page") -> None:
    """Let each press reach the server a second time, as a refresh that falls due with it does."""

    def between(browser: "WebSocketRoute") -> None:
        server = browser.connect_to_server()

        def passed_on(raw: str | bytes) -> None:
            server.send(raw)
            assert isinstance(raw, bytes)
            widgets = BackMsg.FromString(raw).rerun_script.widget_states.widgets
            if any(widget.trigger_value for widget in widgets):
                page.wait_for_timeout(200)  # the first is being answered
                server.send(raw)

        browser.on_message(passed_on)

    page.route_web_socket("**/_stcore/stream", between)


def without_refreshes(page: "Page") -> None:
    """Let no refresh reach the server: the page asks only for what somebody or its script asks."""

    def between(browser: "WebSocketRoute") -> None:
        server = browser.connect_to_server()

        def passed_on(raw: str | bytes) -> None:
            assert isinstance(raw, bytes)
            if not BackMsg.FromString(raw).rerun_script.fragment_id:
                server.send(raw)

        browser.on_message(passed_on)

    page.route_web_socket("**/_stcore/stream", between)


def speak(page: "Page", language: str) -> None:
    """Choose a language and return once the page is drawn in it to its end.

    Before, a key may be lost: if a refresh waits while a whole page is drawn, Streamlit (1.67)
    drops the rest of the page, and the next refreshes bring it back.
    """
    button = "简体中文" if language == "zh_CN" else "English"
    page.get_by_role("button", name=button).evaluate("node => node.click()")
    tag = "zh-Hans" if language == "zh_CN" else "en"
    wait_until(lambda: page.evaluate("document.documentElement.lang") == tag, what="the language")
    redrawn(page, 3)


def fits(page: "Page") -> None:
    """Nothing is wider than the screen, once what is being drawn is drawn."""
    wait_until(lambda: not page.evaluate(TOO_WIDE), what="everything to fit")


def redrawn(page: "Page", times: int) -> None:
    """Return once the page has been drawn anew so often."""
    sign = page.locator(".wb-beat")
    for _ in range(times):
        before = sign.get_attribute("data-at")
        wait_until(lambda before=before: sign.get_attribute("data-at") != before, what="a redraw")


def axe_finds_nothing(page: "Page") -> None:
    """Look until what is being drawn is drawn: it fades in, and is too pale meanwhile."""
    page.add_script_tag(path=AXE)
    seen: list[list[tuple[str, list[str]]]] = []
    passed: list[int] = []

    def is_clean() -> bool:
        found = page.evaluate(AXE_ON_PAGE, RULES)
        passed.append(len(found["passes"]))
        violations = found["violations"]
        seen.append([(one["id"], [node["html"] for node in one["nodes"]]) for one in violations])
        return not violations

    with suppress(AssertionError):  # what it found tells more, below
        wait_until(is_clean)
    assert seen[-1] == []
    assert passed[-1] > 5


def shoot(page: "Page", name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"dashboard-{name}.png")
