"""`wellbeing up` as a newcomer meets it: a living floor in a real browser, taken and decided."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from dashboard import trial
from tests.rig import free_port
from tests.rig.process import children_of, lives
from tests.rig.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.needs("chromium")

SHOTS = Path(__file__).parents[2] / "test-output"


@dataclass
class Trial:
    """A running `wellbeing up`."""

    process: subprocess.Popen[str]
    directory: Path
    url: str

    def decisions(self) -> list[dict[str, object]]:
        """Return what people decided, as the store has it."""
        store = EmbeddedStore(self.directory / "store.sqlite", read_only=True)
        try:
            rows = store.read(Query(measurement=Measurement.DECISION, site=trial.SITE))
        finally:
            store.close()
        return [{**row.tags, **row.fields} for row in rows]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Trial]:
    port = free_port()
    options = ["--port", str(port), "--state-dir", str(tmp_path / "up"), "--language", "en"]
    process = subprocess.Popen(
        [sys.executable, "-m", "wellbeing", "up", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            break
    else:
        pytest.fail(f"wellbeing up never said where to look:\n{said}")
    yield Trial(process, tmp_path / "up", found[0])
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(60)
    process.stdout.close()


def _card(page: Page, name: str) -> Locator:
    return page.locator("[class*=st-key-card-]").filter(has_text=name)


def _name(agent: str) -> str:
    return next(a.name for a in trial.trial_floor() if a.agent == agent)


def test_a_newcomer_sees_the_floor_takes_alerts_decides_and_ends_it(
    running: Trial, chromium: Page
) -> None:
    page = chromium
    page.goto(running.url)
    page.get_by_text("as usual").first.wait_for()

    # By mouse: somebody asks for help.
    asking = _card(page, _name("k22"))
    asking.get_by_text("Asks for help now").wait_for(timeout=90_000)
    asking.get_by_role("button", name="Take").click()
    asking.get_by_text("TAKEN by you").wait_for()
    asking.get_by_role("button", name="Talk").click()
    wait_until(
        lambda: {"take", "talk"} <= {str(d.get("action")) for d in running.decisions()},
        what="both decisions are in the store",
    )

    # The headset of somebody who allowed nothing else is off: unknown, not fine.
    page.get_by_text("1 no data").wait_for()

    # By keyboard alone: somebody differs from their own usual.
    strained = _card(page, _name("k16"))
    strained.get_by_text("Different from own usual").wait_for(timeout=180_000)
    page.screenshot(path=_shot("up-alert"), full_page=True)
    _press_until(page, strained.get_by_role("button", name="Take"))
    strained.get_by_text("TAKEN by you").wait_for()
    _press_until(page, strained.get_by_role("button", name="Offer a break"))
    wait_until(
        lambda: any(d.get("action") == "offer_break" for d in running.decisions()),
        what="the decision is in the store",
    )
    page.screenshot(path=_shot("up-decided"), full_page=True)
    _end_with_one_ctrl_c(running)


def _end_with_one_ctrl_c(running: Trial) -> None:
    """It ends every process and forgets nothing that it was told to keep."""
    children = children_of(running.process.pid)
    assert len(children) >= 3, "server, dashboard and floor"
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 130
    wait_until(lambda: not any(lives(pid) for pid in children), what="children end")
    assert (running.directory / "server" / "server.sqlite").exists()


def _press_until(page: Page, target: Locator) -> None:
    """Walk to `target` with Tab, as somebody without a mouse does, and press it."""
    target.wait_for()
    for _ in range(120):
        page.keyboard.press("Tab")
        if target.evaluate("node => node === document.activeElement"):
            page.keyboard.press("Enter")
            return
    pytest.fail("Tab never reached it")


def _shot(name: str) -> Path:
    SHOTS.mkdir(exist_ok=True)
    return SHOTS / f"{name}.png"
