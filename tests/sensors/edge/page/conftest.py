import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest

from sensors.edge.control.control import ask
from tests.rig.display import chromium_page
from tests.rig.waiting import PATIENCE_S, wait_until
from tests.sensors.edge.standin import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[4]


@dataclass
class Answer:
    """What an address of the page answered."""

    status: int
    headers: dict[str, str]
    body: str


class RunningPage:
    """An edge with its page, and ways to speak to both."""

    def __init__(self, folder: Path, process: subprocess.Popen[str], log: Path) -> None:
        self.folder = folder
        self.process = process
        self._log = log
        self._home = ""

    @property
    def control(self) -> Path:
        return self.folder / "main" / "k7" / "control-pc.json"

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def command(self, name: str, *words: str) -> dict:
        answer = ask(self.control, name, words)
        assert answer is not None, self.said
        return answer

    def address(self) -> str:
        """Return an address that opens the page once."""
        return self.command("page")["page"]

    @property
    def home(self) -> str:
        """The page's own path, with the token."""
        if not self._home:
            answer = self.fetch(urlsplit(self.address()).path)
            assert answer.status == 303, answer
            self._home = answer.headers["location"]
        return self._home

    @property
    def port(self) -> int:
        return urlsplit(self.address()).port or 0

    def fetch(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        """Ask for `path` as this page's own script would; a form is posted."""
        port = self.port
        given = {"host": f"127.0.0.1:{port}"}
        body = None
        if form is not None:
            given["origin"] = f"http://127.0.0.1:{port}"
            given["content-type"] = "application/x-www-form-urlencoded"
            body = urlencode(form)
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.putrequest("POST" if form is not None else "GET", path, skip_host=True)
            for name, value in given.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body.encode() if body is not None else None)
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def do(self, **form: str) -> str:
        """Post a form and return what is said about it."""
        answer = self.fetch(f"{self.home}do", form)
        assert answer.status == 303, answer
        where = answer.headers["location"].removeprefix("./").partition("#")[0]
        page = self.fetch(self.home + where).body
        return page.split('id="said"')[1].split(">", 1)[1].split("</p>")[0]


def _answer(response: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read().decode())


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """One Chromium for all: each test has a page of its own."""
    with chromium_page() as page:
        yield page.context.browser


@pytest.fixture
def chromium(browser) -> Iterator["Page"]:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1e3)
    yield page
    page.close()


@pytest.fixture
def server(mosquitto):
    with StandIn(mosquitto.port) as running:
        yield running


RunPage = Callable[..., AbstractContextManager[RunningPage]]


@pytest.fixture
def run_page(tmp_path: Path) -> RunPage:
    """Return a context manager that runs an edge with its page against the broker on `port`."""

    @contextmanager
    def run(port: int, *channels: str, **environ: str) -> Iterator[RunningPage]:
        folder = tmp_path / "state"
        folder.mkdir(exist_ok=True)
        log = tmp_path / "edge.log"
        plain = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
        script = "tests.sensors.edge.page.page_edge"
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", script, str(port), str(folder), *channels],
                cwd=ROOT, env={**plain, **environ}, stdout=out, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        page = RunningPage(folder, process, log)
        try:
            wait_until(lambda: "your own page" in page.said, what="the page")
            yield page
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()
        assert "Traceback" not in page.said
        assert "please report it" not in page.said

    return run
