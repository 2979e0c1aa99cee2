"""The agent's page in a real browser: by keyboard only, without a script, while things change."""

from typing import TYPE_CHECKING

import pytest

from sensors.messages import ReplyMessage, RequestMessage
from tests.rig.waiting import PATIENCE_S, wait_until
from tests.sensors.edge.page.visiting import HEARD, fill, visit

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.needs("mosquitto", "chromium")


def tab_to(chromium: "Page", selector: str) -> None:
    """Press Tab until `selector` has the focus, as somebody without a mouse does."""
    for _ in range(80):
        chromium.keyboard.press("Tab")
        if chromium.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def focus(chromium: "Page") -> str:
    """Return the id of what has the focus."""
    return chromium.evaluate("document.activeElement.id")


def said(chromium: "Page") -> str:
    return chromium.locator("#said").inner_text()


def heard(server, kind):
    return [m for m in list(server.others) if isinstance(m, kind)]


def test_everything_by_keyboard_alone(server, run_page, chromium):
    with run_page(server.port, *HEARD) as page:
        visit(chromium, page)
        tab_to(chromium, "input[name=may_heart]")
        chromium.keyboard.press("Space")
        tab_to(chromium, "input[name=may_keyboard]")
        chromium.keyboard.press("ArrowRight")  # from yes to no
        tab_to(chromium, "#do-choose")
        chromium.keyboard.press("Enter")
        wait_until(lambda: said(chromium) == "Your choices hold from now on.", what="the answer")
        assert page.command("status")["consent"] == ["heart"]
        # What had the focus is gone; the focus is still at the same place of the page.
        wait_until(
            lambda: chromium.evaluate("!!document.activeElement.closest('#reading')"),
            what="the focus",
        )

        tab_to(chromium, "#do-withdraw-heart")
        chromium.keyboard.press("Shift+Tab")
        assert focus(chromium) == "do-pause"
        chromium.keyboard.press("Enter")
        wait_until(lambda: said(chromium).startswith("Paused."), what="the answer")
        assert page.command("status")["stopped_because"] == ["paused"]
        wait_until(lambda: focus(chromium) == "do-resume", what="the focus")
        chromium.keyboard.press("Enter")
        wait_until(lambda: said(chromium).startswith("Resumed."), what="the answer")

        tab_to(chromium, "#do-help_now")
        chromium.keyboard.press("Space")
        wait_until(lambda: "you ask for help now" in said(chromium), what="the answer")
        asked = wait_until(lambda: heard(server, RequestMessage), what="the request")
        assert asked[-1].kind == "help_now"
        wait_until(lambda: focus(chromium) == "do-help_now", what="the focus")
        tab_to(chromium, "#demanding")
        chromium.keyboard.press("8")
        tab_to(chromium, "#recovered")
        chromium.keyboard.press("3")
        tab_to(chromium, "#do-report")
        chromium.keyboard.press("Enter")
        wait_until(lambda: "your own report is kept" in said(chromium), what="the answer")
        report = wait_until(lambda: heard(server, ReplyMessage), what="the report")[-1]
        assert (report.demanding, report.recovered) == (8, 3)


def refresh(chromium: "Page") -> None:
    """Let the script look at once, as when the page comes to the front, and finish."""
    with chromium.expect_response("**/live") as answer:
        chromium.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    answer.value.finished()
    chromium.evaluate("new Promise(done => setTimeout(done, 100))")


def test_a_choice_that_is_not_sent_yet_survives_a_refresh(run_page, server, chromium):
    with run_page(server.port, *HEARD) as page:
        visit(chromium, page)
        chromium.locator("input[name=may_heart][value=yes]").check()
        chromium.locator("#demanding").focus()
        refresh(chromium)
        assert chromium.locator("input[name=may_heart][value=yes]").is_checked()


def test_what_changes_is_shown_and_takes_neither_focus_nor_words_nor_what_is_open(
    server, run_page, chromium
):
    with run_page(server.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes")
        visit(chromium, page)
        chromium.locator("#what-heart summary").click()
        chromium.locator("#demanding").select_option("7")
        chromium.locator("#do-pause").focus()
        focused = chromium.evaluate_handle("document.activeElement")
        live = chromium.locator("#said").element_handle()
        assert live.get_attribute("role") == "status"
        fill(server)
        page.command("pause")  # as another terminal or the hotkey would
        wait_until(lambda: "bo looked at you." in page.fetch(page.home).body, what="the notices")
        refresh(chromium)
        wait_until(lambda: chromium.get_by_text("bo looked at you.").count() == 1)
        # The button that holds the focus waits until it is elsewhere; what is said does not.
        now = chromium.locator("#reading-now")
        wait_until(lambda: now.inner_text() == "Nothing is read: you paused.")
        assert focused.evaluate("node => node === document.activeElement && node.isConnected")
        chromium.locator("#do-fine").focus()
        refresh(chromium)
        wait_until(lambda: chromium.get_by_text("Nothing is read: you paused.").count() == 1)
        assert focus(chromium) == "do-fine"
        assert chromium.locator("#demanding").input_value() == "7"
        assert chromium.locator("#what-heart").get_attribute("open") is not None
        # Nothing that merely happened is read out: it may be in the middle of a call.
        assert live.evaluate("node => node.isConnected && node.textContent.trim()") == ""


def top(chromium: "Page", selector: str) -> float:
    return chromium.evaluate("s => document.querySelector(s).getBoundingClientRect().top", selector)


def test_nothing_moves_under_the_pointer_when_something_above_it_grows(server, run_page, chromium):
    with run_page(server.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes")
        chromium.emulate_media(reduced_motion="reduce")  # to focus what is far down scrolls at once
        visit(chromium, page)
        chromium.locator("#do-help_now").hover()
        before = top(chromium, "#do-help_now")
        chromium.locator("#do-help_now").click()
        wait_until(lambda: "you ask for help now" in said(chromium), what="the answer")
        wait_until(lambda: chromium.locator("#do-cancel").count() == 1, what="what became of it")
        assert abs(top(chromium, "#do-help_now") - before) <= 1
        fill(server)
        wait_until(lambda: "bo looked at you." in page.fetch(page.home).body, what="the notices")
        refresh(chromium)
        wait_until(lambda: chromium.locator("#questions button").count() == 4, what="the questions")
        assert abs(top(chromium, "#do-help_now") - before) <= 1
        # By keyboard likewise: what has the focus stays where it is.
        chromium.mouse.move(0, 0)
        chromium.locator("#do-report").focus()
        before = top(chromium, "#do-report")
        page.do(do="cancel")
        refresh(chromium)
        wait_until(lambda: chromium.locator("#do-cancel").count() == 0, what="that it is gone")
        assert abs(top(chromium, "#do-report") - before) <= 1


def test_after_the_first_choice_the_focus_is_in_view(server, run_page, chromium):
    with run_page(server.port, *HEARD) as page:
        visit(chromium, page)
        chromium.locator("input[name=may_heart][value=yes]").check()
        chromium.locator("#do-choose").click()
        wait_until(lambda: focus(chromium) == "do-pause", what="the focus")
        place = chromium.locator("#do-pause").bounding_box()
        bar = chromium.locator("#said").bounding_box()
        assert place
        assert bar
        assert bar["y"] + bar["height"] <= place["y"] <= 900


def test_what_is_said_covers_nothing_once_one_goes_on(server, run_page, chromium):
    """At 400 % zoom it takes half of the screen, and whatever has the focus may lie under it."""
    with run_page(server.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes")
        visit(chromium, page)
        chromium.set_viewport_size({"width": 320, "height": 256})
        chromium.locator("#do-fine").click()
        wait_until(lambda: "you are fine" in said(chromium), what="the answer")
        assert top(chromium, "#said") == 0  # in view, however far down the button was
        chromium.locator("#do-fine").press("Tab")
        assert top(chromium, "#said") < -200
        assert "you are fine" in said(chromium)  # still there to be read again
        page.process.terminate()
        page.process.wait(60)
        chromium.locator("#do-fine").click()
        wait_until(lambda: "gets no answer" in said(chromium), what="the notice")
        chromium.locator("#do-fine").press("Tab")
        assert top(chromium, "#said") == 0  # nothing else is true any more


def test_pause_does_not_wait_for_a_call_for_help_that_nobody_answers(server, run_page, chromium):
    with run_page(server.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes")
        visit(chromium, page)
        held: list[Route] = []

        def hold_the_first(route: "Route") -> None:
            if held:
                route.continue_()
            else:
                held.append(route)

        chromium.route("**/do", hold_the_first)
        chromium.locator("#do-help_now").click()
        wait_until(lambda: chromium.evaluate("1") and held, what="the call for help")
        chromium.locator("#do-help_now").click()  # asked once all the same
        chromium.locator("#do-pause").click()
        wait_until(lambda: said(chromium).startswith("Paused."), what="the answer")
        assert heard(server, RequestMessage) == []
        held[0].abort()


def test_it_works_without_a_script(server, run_page, browser):
    with run_page(server.port, *HEARD) as page:
        plain = browser.new_page(java_script_enabled=False)
        plain.set_default_timeout(PATIENCE_S * 1e3)
        plain.goto(page.address())
        plain.locator("input[name=may_heart][value=yes]").check()
        plain.locator("#do-choose").click()
        wait_until(lambda: said(plain) == "Your choices hold from now on.", what="the answer")
        assert "Load the page again to see" in plain.locator("main").inner_text()  # it is old soon
        plain.locator("#do-pause").click()
        wait_until(lambda: said(plain).startswith("Paused."), what="the answer")
        plain.get_by_role("button", name="简体中文").click()
        plain.get_by_role("heading", name="您是 K7。").wait_for()
        assert plain.locator("#reading-now").inner_text() == "不读取任何内容：您已暂停。"  # noqa: RUF001
        plain.close()


def test_when_the_edge_has_ended_the_page_says_so(server, run_page, chromium):
    with run_page(server.port, *HEARD) as page:
        visit(chromium, page)
        page.process.terminate()
        page.process.wait(60)
        chromium.locator("#do-fine").click()
        wait_until(lambda: "gets no answer" in said(chromium), what="the notice")
        assert "from before" in said(chromium)
        section = "getComputedStyle(document.querySelector('section')).borderTopStyle"
        assert chromium.evaluate(section) == "dashed"  # as whatever is not known


def test_a_call_for_help_that_gets_no_answer_is_not_said_to_be_on_its_way_for_ever(
    server, run_page, chromium
):
    with run_page(server.port, *HEARD) as page:
        chromium.clock.install()
        visit(chromium, page)
        held: list[Route] = []

        def hold(route: "Route") -> None:
            held.append(route)

        chromium.route("**/do", hold)
        chromium.route("**/live", hold)
        chromium.locator("#do-help_now").click()
        wait_until(lambda: chromium.evaluate("1") and held, what="the call for help")
        assert said(chromium) == "Sending…"
        chromium.clock.fast_forward(12_500)
        wait_until(lambda: "speak to a person" in said(chromium), what="the notice")
        held[0].abort()
