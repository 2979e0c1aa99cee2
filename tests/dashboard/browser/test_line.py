"""The dashboard's process: its broker away and back, who may ask it, and its end."""

import signal
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.browser.running import Floor
from tests.dashboard.browser.screen import card, fill, shoot, visit, without_refreshes

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.needs("mosquitto", "chromium")


def test_broker_and_its_return(floor: Floor, chromium: "Page") -> None:
    page = chromium
    fill(floor.server)
    visit(page, floor)
    card(page, "aaaaaaaa01").get_by_role("button", name="Take").click()
    note = card(page, "aaaaaaaa01").locator("textarea")
    note.fill("will call back")
    floor.decisions(1)
    floor.mosquitto.stop()
    banner = page.locator(".wb-banner", has_text="The message broker is away")
    banner.wait_for()
    card(page, "aaaaaaaa01").get_by_role("button", name="Talk").click()
    page.get_by_text("Not recorded: the message broker is away.").wait_for()
    assert note.input_value() == "will call back"
    shoot(page, "broker-away")
    floor.mosquitto.start()
    floor.server.wait_connected()
    banner.wait_for(state="detached")
    card(page, "aaaaaaaa01").get_by_role("button", name="Talk").click()
    assert floor.decisions(2)[-1].note == "will call back"


def test_page_that_hears_nothing_more_never_says_that_all_is_well(
    floor: Floor, chromium: "Page"
) -> None:
    page = chromium
    visit(page, floor)
    page.get_by_text("Nobody needs you").wait_for()
    floor.process.send_signal(signal.SIGSTOP)
    try:
        lost = page.get_by_role("alert").filter(has_text="This page has had no answer since")
        lost.wait_for()
        for calm in ("Nobody needs you", "Nobody is asking.", "AS USUAL", "No faults"):
            assert not page.get_by_text(calm).first.is_visible()
        assert "Unknown whether anybody needs you" in page.title()
        shoot(page, "hears-nothing")
        page.evaluate("Date.now = (now => () => now() - 3.6e6)(Date.now)")
        page.wait_for_timeout(1000)
        assert lost.is_visible(), "a clock that was set back has heard nothing either"
    finally:
        floor.process.send_signal(signal.SIGCONT)
    lost.wait_for(state="detached")
    page.get_by_text("Nobody needs you").wait_for()


BROKEN = """() => {
    window.asked = 0;
    window.addEventListener("popstate", () => { window.asked += 1; });
    document.querySelector(".st-key-languages").classList.remove("st-key-languages");
    const said = document.body.appendChild(document.createElement("div"));
    said.dataset.testid = "stException";
}"""


def test_page_that_lost_its_end_is_asked_for_again_but_not_one_that_says_that_it_broke(
    floor: Floor, chromium: "Page"
) -> None:
    """That would break again: it would be drawn anew for ever, under whoever uses the rest."""
    page = chromium
    without_refreshes(page)  # one that lost its end asks for none; a slow server is never idle else
    visit(page, floor)
    page.locator(".st-key-languages").wait_for()
    page.evaluate(BROKEN)
    page.wait_for_timeout(3000)
    assert page.evaluate("window.asked") == 0
    page.evaluate("document.querySelector('[data-testid=stException]').remove()")
    page.wait_for_function("window.asked !== 0")  # it goes with the page, if that starts over


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 101), ("evil.example", 403)])
def test_page_answers_only_to_names_of_this_machine(floor: Floor, host: str, status: int) -> None:
    port = int(floor.url.rstrip("/").rpartition(":")[2])
    headers = {
        "Host": f"{host}:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/_stcore/stream", headers=headers)
    assert connection.getresponse().status == status
    connection.close()


def test_control_c_ends_it_cleanly(floor: Floor, chromium: "Page") -> None:
    visit(chromium, floor)
    floor.process.send_signal(signal.SIGINT)
    assert floor.process.wait(60) in {0, 130}
    said = floor.process.stdout.read()
    assert floor.url.rstrip("/") in said
    assert "Traceback" not in said
