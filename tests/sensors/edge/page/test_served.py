"""The page as it is served: who is let in, what a form does, what stays out of logs and files."""

import json
import os
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sensors import codec, topics
from sensors.messages import (
    Absence,
    NoticeKind,
    NoticeMessage,
    ReadingMessage,
    ReplyMessage,
    RequestKind,
    RequestMessage,
)
from sensors.signals import Channel
from tests.rig.waiting import wait_until
from tests.sensors.edge.page.conftest import ROOT
from tests.sensors.edge.page.makings import NOW

pytestmark = pytest.mark.needs("mosquitto")

HEARD = ("heart", "keyboard")
OWN = ("run", "seq", "oldest_seq", "window_end_at", "sent_at", "clock_offset_ms", "clock_error_ms")


def heard(server, kind):
    return [m for m in list(server.others) if isinstance(m, kind)]


def test_only_the_agents_own_browser_is_let_in(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD) as page:
        whole = page.fetch(page.home)
        assert whole.status == 200
        assert "You are K7." in whole.body
        assert whole.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in whole.headers["content-security-policy"]
        assert "set-cookie" not in whole.headers
        assert "server" not in whole.headers
        token = page.home.strip("/")
        for path in ("/", "/guess/", f"/{token[:-1]}/", f"/{token.swapcase()}/", "/guess/do"):
            assert page.fetch(path).status == 404, path
        assert page.fetch(page.home, host=f"evil.example:{page.port}").status == 421
        assert page.fetch("/open/guess").status == 403
        used = page.address().rpartition(str(page.port))[2]
        assert page.fetch(used).status == 303
        assert page.fetch(used).status == 403
        assert page.fetch(f"{page.home}../../../etc/passwd").status == 404
        assert page.fetch(f"{page.home}companion.py").status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"host": "evil.example"},
    ],
)
def test_a_form_from_elsewhere_does_nothing(mosquitto, run_page, headers):
    with run_page(mosquitto.port, *HEARD) as page:
        answer = page.fetch(f"{page.home}do", {"do": "choose", "may_heart": "yes"}, **headers)
        assert answer.status in {403, 421}
        assert page.command("status")["consent"] == []


def open_files(pid: int) -> int:
    """Return how many files and connections a process has open, where the system shows it."""
    shown = Path(f"/proc/{pid}/fd")
    return len(list(shown.iterdir())) if shown.is_dir() else 0


def test_strangers_on_this_machine_who_hold_connections_open_keep_nobody_out(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD) as page:
        home, port = page.home, page.port
        control = codec.load_json(page.control.read_bytes())["port"]
        before = open_files(page.process.pid)
        with ExitStack() as strangers:
            for number in range(200):
                where = ("127.0.0.1", control if number % 2 else port)
                strangers.enter_context(socket.create_connection(where, 60)).sendall(b"GET /")
            assert page.fetch(home).status == 200
            assert page.command("pause")["stopped_because"] == ["paused"]
            assert open_files(page.process.pid) < before + 80


def test_a_form_too_long_or_not_a_form_is_refused(mosquitto, run_page):
    with run_page(mosquitto.port) as page:
        assert page.fetch(f"{page.home}do", {"do": "x" * 5000}).status == 400
        assert page.fetch(f"{page.home}do", {f"f{n}": "" for n in range(40)}).status == 400
        assert "load it again" in page.do(do="dance")


def test_nothing_is_measured_before_the_page_was_answered_and_then_what_was_allowed(
    mosquitto, server, run_page
):
    with run_page(mosquitto.port, *HEARD) as page:
        wait_until(lambda: len(server.windows) >= 2, what="windows")
        assert all(set(w.absent.values()) == {Absence.WITHHELD} for w in server.windows)
        assert 'name="may_heart" value="yes"> ' in page.fetch(page.home).body
        assert "checked" not in page.fetch(page.home).body  # nobody is nudged
        assert "hold" in page.do(do="choose", may_heart="yes")
        measured = wait_until(lambda: [w for w in server.windows if w.heart], what="a heart")
        assert measured[0].absent == {Channel.KEYBOARD: Absence.WITHHELD}
        assert page.do(do="allow", channel="keyboard") == "Allowed from now on."
        wait_until(lambda: server.windows[-1].keyboard is not None, what="a keyboard")
        assert page.do(do="withdraw", channel="heart").startswith("Withdrawn.")
        assert page.command("status")["consent"] == ["keyboard"]
        page.do(do="leave")
        assert page.command("status")["consent"] == []
        wait_until(lambda: server.consents[-1].channels == (), what="the withdrawal, retained")


def test_a_pause_on_the_page_is_the_same_bytes_as_a_locked_screen(mosquitto, server, run_page):
    """T7: but for run, times and numbers."""

    def withheld_windows(page) -> set[bytes]:
        report = page.command("status")
        first = report["windows"] + 2  # some may just be on their way to the disk
        wait_until(lambda: len(windows_from(first)) >= 3, what="windows")
        plain = [{k: v for k, v in w.items() if k not in OWN} for w in windows_from(first)]
        return {codec.dump_json(fields) for fields in plain}

    def windows_from(first: int) -> list[dict]:
        payloads = [p for topic, p in list(server.payloads) if topic.endswith("/reading")]
        return [w for w in map(codec.load_json, payloads) if w["seq"] >= first]

    with run_page(mosquitto.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes", may_keyboard="yes")
        wait_until(lambda: server.windows and server.windows[-1].heart, what="a heart")
        assert page.do(do="pause").startswith("Paused.")
        paused = withheld_windows(page)
        assert "Nothing is read: you paused." in page.fetch(page.home).body
        page.do(do="resume")
        wait_until(lambda: server.windows[-1].heart is not None, what="a heart")
        page.command("lock")
        assert withheld_windows(page) == paused
        assert len(paused) == 1


def test_help_break_and_answers_work_without_any_channel(mosquitto, server, run_page):
    """T9."""
    with run_page(mosquitto.port) as page:
        assert "No sensor is set up here" in page.fetch(page.home).body
        assert "you ask for help now" in page.do(do="help_now")
        # The broker confirmed it; the server hears it a moment later.
        asked = wait_until(lambda: heard(server, RequestMessage), what="the request")
        assert asked[-1].kind is RequestKind.HELP_NOW
        assert "No answer yet." in page.fetch(f"{page.home}live").body
        received = NoticeMessage(
            id="notice001", at=heard(server, RequestMessage)[-1].at,
            kind=NoticeKind.REQUEST_RECEIVED, alert_id="request1",
        )  # fmt: skip
        server.connection.publish(topics.notice("main", "k7"), codec.encode(received))
        told = "Your supervisor was told that you asked."
        wait_until(lambda: page.fetch(f"{page.home}live").body.count(told) == 2, what="the answer")
        page.do(do="cancel")
        asked = wait_until(lambda: heard(server, RequestMessage)[1:], what="the cancellation")
        assert asked[-1].kind is RequestKind.CANCEL
        page.do(do="break_please")
        page.do(do="fine")
        page.do(do="different_today")
        page.do(do="report", demanding="8", recovered="")
        page.do(do="answer", alert="request1", answer="was_it_so no")
        wait_until(lambda: len(heard(server, ReplyMessage)) >= 4, what="the replies")
        replies = heard(server, ReplyMessage)
        assert [r.kind.value for r in replies] == [
            "fine", "different_today", "self_report", "was_it_so",
        ]  # fmt: skip
        assert (replies[2].demanding, replies[2].recovered) == (8, None)
        assert (replies[3].alert_id, replies[3].answer) == ("request1", False)


def test_with_the_broker_away_the_page_works_and_says_what_reached_nobody(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes")
        wait_until(lambda: page.command("status")["connected"], what="a connection")
        mosquitto.stop()
        wait_until(lambda: not page.command("status")["connected"], what="the loss")
        body = page.fetch(page.home).body
        assert "No connection;" in body
        assert "Nothing is lost." in body
        assert "Unknown: the server has said nothing yet." in body
        assert "This reached nobody" in page.do(do="help_now")
        assert page.do(do="pause").startswith("Paused.")
        assert page.command("status")["stopped_because"] == ["paused"]


def test_the_newest_message_stands_there_word_for_word_and_the_data_can_be_taken(
    mosquitto, server, run_page
):
    with run_page(mosquitto.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes")
        wait_until(lambda: server.windows and server.windows[-1].heart, what="a heart")
        code = page.fetch(page.home).body.split("<pre")[1].split("<code>")[1].split("</code>")[0]
        shown = codec.decode(code.replace("&#34;", '"').encode(), ReadingMessage)
        wait_until(lambda: any(w.seq == shown.seq for w in server.windows), what="it to arrive")
        sent = next(w for w in server.windows if w.seq == shown.seq)
        assert (sent.heart, sent.absent) == (shown.heart, shown.absent)
        answer = page.fetch(f"{page.home}data.json")
        assert "attachment" in answer.headers["content-disposition"]
        taken = json.loads(answer.body)
        assert len(taken["history"]["day"]["hr_bpm"]) > 100
        assert "lowest / mean / highest" in page.fetch(page.home).body
        assert "tick the box" in page.do(do="forget")
        page.do(do="forget", sure="yes")
        assert json.loads(page.fetch(f"{page.home}data.json").body)["history"]["month"] == {}


def test_the_agents_language_is_the_browsers_until_they_choose(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD) as page:
        chinese = page.fetch(page.home, accept_language="zh-CN,zh;q=0.9")
        assert '<html lang="zh-Hans">' in chinese.body
        assert "您是 K7。" in chinese.body
        assert page.do(do="language", language="zh_CN") == ""
        assert "您是 K7。" in page.fetch(page.home, accept_language="en-GB").body
        assert "已发送" in page.do(do="fine")
        kept = page.folder / "main" / "k7" / "page.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_what_was_asked_for_in_a_terminal_is_on_the_page_to_be_followed_and_taken_back(
    mosquitto, server, run_page
):
    with run_page(mosquitto.port, *HEARD) as page:
        page.command("ask", "help_now")
        body = page.fetch(page.home).body
        assert "You asked for help at" in body
        assert 'id="do-cancel"' in body
        page.command("ask", "cancel")
        assert 'id="do-cancel"' not in page.fetch(page.home).body


def test_who_opens_an_old_address_is_told_in_their_language_what_to_do(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD) as page:
        used = urlsplit(page.address()).path
        page.fetch(used)
        again = page.fetch(used, accept_language="zh-CN")
        assert (again.status, "获取新地址：wellbeing edge page" in again.body) == (403, True)  # noqa: RUF001
        before = page.fetch("/token-of-an-earlier-start/", accept_language="en-GB")
        assert (before.status, "To open it: wellbeing edge page" in before.body) == (404, True)


def test_the_token_is_in_no_file_and_nothing_that_was_said(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD) as page:
        page.do(do="choose", may_heart="yes")
        page.fetch("/guess/")
        token = page.home.strip("/")
        files = [path for path in page.folder.rglob("*") if path.is_file()]
        assert len(files) >= 4
        assert [path for path in files if token.encode() in path.read_bytes()] == []
        assert token not in page.said
        assert "/open/" not in page.said
        assert "GET" not in page.said


def test_it_opens_by_itself_once_for_whoever_was_never_asked(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD, DISPLAY=":none") as page:
        opened = page.folder / "opened"
        # The file is there a moment before what is written into it.
        address = wait_until(lambda: opened.exists() and opened.read_text(), what="the browser")
        assert page.fetch(address.rpartition(str(page.port))[2]).status == 303
        page.do(do="choose")
    opened.unlink()
    with run_page(mosquitto.port, *HEARD, DISPLAY=":none") as page:
        assert "to open it: wellbeing edge page" in page.said
        assert not opened.exists()


def test_what_the_last_run_was_told_is_there_after_a_restart(mosquitto, server, run_page):
    looked = NoticeMessage(id="notice002", at=NOW, kind=NoticeKind.LOOKED, by="ana")
    with run_page(mosquitto.port, *HEARD) as page:
        wait_until(lambda: page.command("status")["connected"], what="a connection")
        wait_until(lambda: len(server.windows) >= 1, what="a window")
        at = server.windows[-1].window_end_at
        looked = NoticeMessage(id="notice002", at=at, kind=NoticeKind.LOOKED, by="ana")
        server.connection.publish(topics.notice("main", "k7"), codec.encode(looked))
        wait_until(lambda: "ana looked at you." in page.fetch(page.home).body, what="the notice")
    with run_page(mosquitto.port, *HEARD) as page:
        assert "ana looked at you." in page.fetch(page.home).body


def test_the_command_prints_an_address_where_there_is_no_desktop(mosquitto, run_page):
    with run_page(mosquitto.port, *HEARD) as page:
        plain = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
        done = subprocess.run(
            [sys.executable, "-m", "wellbeing", "edge", "--agent", "k7", "--state-dir", page.folder, "page"],
            cwd=ROOT, env=plain, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        address = done.stdout.strip()
        assert address.startswith("http://127.0.0.1:")
        assert page.fetch(address.rpartition(str(page.port))[2]).status == 303
