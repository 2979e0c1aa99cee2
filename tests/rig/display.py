"""A display without a screen, and a browser without a window."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.rig.process import end, find_program
from tests.rig.waiting import PATIENCE_S

if TYPE_CHECKING:
    from playwright.sync_api import Page

XVFB_FLAGS = ["-screen", "0", "1280x800x24", "-noreset", "-nolisten", "tcp"]

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Display:
    """A running X server; `name` goes into DISPLAY, signals to `pid`."""

    name: str
    pid: int

    @property
    def environ(self) -> dict[str, str]:
        """This process's environment with DISPLAY set."""
        return {**os.environ, "DISPLAY": self.name}


@contextmanager
def virtual_display(*more: str) -> Iterator[Display]:
    """Run Xvfb, with `more` flags, on a display number that it finds free itself."""
    program = find_program("Xvfb")
    assert program is not None, "Xvfb is not installed"
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [program, "-displayfd", str(writer), *XVFB_FLAGS, *more],
        pass_fds=[writer],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(writer)
    try:
        # Xvfb writes its number once it accepts clients; end of file means it died.
        with os.fdopen(reader) as numbers:
            number = numbers.readline().strip()
        assert number, "Xvfb did not start"
        yield Display(f":{number}", process.pid)
    finally:
        end(process)


@contextmanager
def chromium_page() -> Iterator["Page"]:
    """Open one blank page in Debian's Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - other tests do without it

    program = find_program("chromium")
    assert program is not None, "chromium is not installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(PATIENCE_S * 1e3)
            yield page
        finally:
            browser.close()
