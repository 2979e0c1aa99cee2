"""pynput on a real X server: known timing in, known timing out; a typed secret found nowhere."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import aclosing

import numpy as np
import pytest

from sensors.collector import Collector, Link, Reading
from sensors.errors import ConfigurationError, DeviceError, MissingExtraError
from sensors.hid import pynput_events
from sensors.hid.keys import KeyDropper
from sensors.hid.listener import HidCollector, create, display_problem
from sensors.hid.pynput_events import combination_listener
from sensors.signals import Channel
from tests.rig.display import Display, virtual_display
from tests.rig.waiting import wait_until_async as wait_until

pytestmark = pytest.mark.needs("Xvfb", "xdotool")

PATIENCE_S = 30
KEYBOARD, POINTER = {"channels": ["keyboard"]}, {"channels": ["pointer"]}
SENT = ["getmouselocation"]  # a question to the server: xdotool sends what it has gathered
KEYBOARD_OK, POINTER_OK = Link(Channel.KEYBOARD, "ok"), Link(Channel.POINTER, "ok")


class RealClock:
    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep_until(self, at_monotonic_s: float) -> None:
        await asyncio.sleep(max(0.0, at_monotonic_s - time.monotonic()))


@pytest.fixture(autouse=True)
def x11(monkeypatch):
    """Run as in an X11 session, whatever session the tests are started from."""
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)


async def xdotool(display: Display, *words: str) -> None:
    process = await asyncio.create_subprocess_exec("xdotool", *words, env=display.environ)
    assert await process.wait() == 0


async def gather(
    collector: HidCollector, display: Display, *commands: list[str], last: str, count: int
):
    """Return links and readings until `count` of signal `last` have come."""
    links, readings = [], []
    async with asyncio.timeout(PATIENCE_S), aclosing(collector.readings(RealClock())) as found:
        async for item in found:
            if isinstance(item, Link):
                links.append(item)
                if len(links) == len(collector.channels):
                    for words in commands:
                        await xdotool(display, *words)
                continue
            readings.append(item)
            if sum(r.signal == last for r in readings) >= count:
                break
    return links, readings


def values(readings: list[Reading], signal: str) -> list[float]:
    return [r.value for r in readings if r.signal == signal]


async def test_typing_with_known_timing(xvfb):
    text = "thequickbrownfox"
    typing = [
        w for key in text for w in ("keydown", key, "sleep", "0.08", "keyup", key, "sleep", "0.12")
    ]
    links, readings = await gather(create(KEYBOARD), xvfb, typing, last="dwell_ms", count=len(text))
    assert links == [KEYBOARD_OK]
    assert len(values(readings, "key_presses")) == len(text)
    # xdotool sleeps at least so long, a loaded machine only adds to it, and the median keeps a
    # late wake-up of ours out: what is left is a few ms either way, a third of them is plenty.
    dwell, flight = values(readings, "dwell_ms"), values(readings, "flight_ms")
    assert len(dwell) == len(text)
    assert len(flight) == len(text) - 1
    assert np.median(dwell) == pytest.approx(80, abs=30)
    assert np.median(flight) == pytest.approx(120, abs=30)
    assert not values(readings, "pointer_speed_px_s")


async def test_characters_without_a_key_of_their_own_are_counted_and_timed(xvfb):
    """All of them have one name, because the server's keymap changes under us."""
    text = "你好世界辛苦了"
    _, readings = await gather(
        create(KEYBOARD), xvfb, ["type", "--delay", "240", text], last="dwell_ms", count=len(text)
    )
    assert len(values(readings, "key_presses")) == len(text)
    assert len(values(readings, "flight_ms")) == len(text) - 1
    assert not values(readings, "key_corrections")
    assert text not in repr(readings)


async def test_composing_with_an_input_method_is_typing_with_its_corrections(xvfb):
    """Pinyin as the keyboard sees it: letters, a wrong one taken back, a space to choose."""
    keys = [*"nihai", "BackSpace", "o", "space", *"shijie", "2"]
    typing = [w for key in keys for w in ("key", "--delay", "15", key, "sleep", "0.05")]
    _, readings = await gather(create(KEYBOARD), xvfb, typing, last="dwell_ms", count=len(keys))
    assert len(values(readings, "key_presses")) == len(keys)
    assert sum(values(readings, "key_corrections")) == 1


async def test_a_screen_readers_rhythm_is_measured_without_a_case_of_its_own(xvfb):
    """Chords with the reader's key, arrows one by one, long listening between them."""
    step = ["keydown", "Insert", "key", "Down", "keyup", "Insert", *SENT, "sleep", "0.8"]
    _, readings = await gather(create(KEYBOARD), xvfb, step * 3, last="burst_presses", count=3)
    assert len(values(readings, "key_presses")) == 6
    assert values(readings, "burst_presses") == [2.0, 2.0, 2.0]
    assert len(values(readings, "key_pauses")) == 2
    assert min(values(readings, "flight_ms")) < 0  # the chord; and the pauses are flights too
    assert max(values(readings, "flight_ms")) > 700


async def test_rollover_corrections_and_a_repeating_key(xvfb):
    _, readings = await gather(
        create(KEYBOARD),
        xvfb,
        ["keydown", "a", "sleep", "0.06", "keydown", "b", "sleep", "0.05", "keyup", "a"],
        ["keyup", "b", "key", "BackSpace", "key", "Delete"],
        ["keydown", "c", "sleep", "1.2", "keyup", "c"],
        last="dwell_ms",
        count=5,
    )
    assert min(values(readings, "flight_ms")) < -30
    assert sum(values(readings, "key_corrections")) == 2
    # The server repeats c some 15 times: still one press, held for more than a second.
    assert len(values(readings, "key_presses")) == 5
    assert values(readings, "dwell_ms")[-1] == pytest.approx(1200, abs=300)


async def test_pointer_movement_clicks_and_scrolling(xvfb):
    steps = [
        word for x in range(0, 600, 20) for word in ("mousemove", str(x), "300", "sleep", "0.02")
    ]
    links, readings = await gather(
        create(POINTER),
        xvfb,
        ["mousemove", "0", "300", "sleep", "0.3", *steps],
        [
            "mousedown",
            "1",
            *SENT,
            "sleep",
            "0.12",
            "mouseup",
            "1",
            *SENT,
            "click",
            "4",
            "click",
            "5",
        ],
        last="scroll_steps",
        count=2,
    )
    assert links == [POINTER_OK]
    assert 300 < np.median(values(readings, "pointer_speed_px_s")) < 1300
    assert values(readings, "pointer_straightness")[-1] == pytest.approx(1.0, abs=0.01)
    assert sum(values(readings, "pointer_clicks")) == 1
    # Slept at least; a loaded machine only adds to it.
    assert 110 < values(readings, "click_dwell_ms")[0] < 1000
    assert values(readings, "scroll_steps") == [1.0, 1.0]


async def test_a_busy_moment_stretches_nothing_and_swallows_no_double_letter(xvfb, monkeypatch):
    """X dates each event; when we come to look at it does not matter."""
    press, delays = KeyDropper.press, iter([0.0, 0.5])

    def late(self, *given, **named):
        time.sleep(next(delays, 0.0))
        return press(self, *given, **named)

    monkeypatch.setattr(KeyDropper, "press", late)
    typing = [w for _ in range(8) for w in ("keydown", "t", "sleep", "0.05", "keyup", "t",
                                            *SENT, "sleep", "0.05")]  # fmt: skip
    _, readings = await gather(create(KEYBOARD), xvfb, typing, last="dwell_ms", count=8)
    assert values(readings, "key_presses") == [1.0] * 8
    # Those typed during the half second arrived together: by arrival most would last 0 ms.
    assert min(values(readings, "dwell_ms")) > 45
    assert np.median(values(readings, "dwell_ms")) == pytest.approx(50, abs=25)


async def test_both_at_once(xvfb):
    seen: list[Link | Reading] = []
    async with asyncio.timeout(PATIENCE_S), aclosing(create({}).readings(RealClock())) as found:
        async for item in found:
            seen.append(item)
            if len(seen) == 2:
                await xdotool(xvfb, "key", "x", "click", "1")
            # Either may come first: each has a thread of its own.
            if {"dwell_ms", "click_dwell_ms"} <= {i.signal for i in seen[2:]}:
                break
    assert seen[:2] == [KEYBOARD_OK, POINTER_OK]
    assert values(seen[2:], "key_presses") == [1.0]
    assert values(seen[2:], "pointer_clicks") == [1.0]


async def test_a_typed_secret_is_found_nowhere(xvfb, caplog):
    secret = "Passw0rd-7Kx!"
    caplog.set_level(logging.DEBUG)
    collector = create({})
    _, readings = await gather(
        collector, xvfb, ["type", "--delay", "20", secret], last="dwell_ms", count=len(secret)
    )
    everything = "\n".join(
        [repr(readings), repr(pickle.dumps(readings)), caplog.text, repr(vars(collector))]
    )
    assert secret not in everything
    # No object that lives on holds the keys one after the other.
    gc.collect()
    rows = [
        t for t in gc.get_objects() if type(t) in {list, tuple, deque} and len(t) >= len(secret)
    ]
    assert secret not in {"".join(c for c in map(_character, row) if c) for row in rows}
    assert {type(v) for r in readings for v in (r.value, r.at_monotonic_s, r.quality)} == {float}


def _character(item: object) -> str | None:
    """Return the character that a key, or a text of length one, stands for."""
    found = (
        item
        if isinstance(item, str)
        else vars(item).get("char")
        if hasattr(item, "__dict__")
        else None
    )
    return found if isinstance(found, str) and len(found) == 1 else None


async def test_one_combination_is_found_among_all_keys_and_nothing_is_kept(xvfb):
    """For systems that register none; here on X, with the same pynput."""
    presses = []
    listener = combination_listener("<ctrl>+<alt>+p", lambda: presses.append(1))
    await listener.start()
    try:
        await xdotool(xvfb, "type", "--delay", "10", "pop secret")
        await xdotool(xvfb, "key", "ctrl+p", "ctrl+alt+p", *SENT)
        await wait_until(lambda: presses)
    finally:
        await listener.stop()
    assert presses == [1]
    (hotkey,) = listener._listener._hotkeys
    assert hotkey._state == set()
    with pytest.raises(ConfigurationError, match="no such key; choose another"):
        combination_listener("<no_such_key>", lambda: None)


async def test_closing_stops_capture(xvfb):
    found = create({}).readings(RealClock())
    assert await anext(found) == KEYBOARD_OK
    before = _listeners()
    await found.aclose()
    assert len(before) == 2
    assert not _listeners()


@pytest.mark.timeout(90)
async def test_closing_in_the_middle_of_starting_holds_up_nothing(xvfb):
    """A pause in the first moment: pynput's own stop would wait for ever, in our event loop."""
    for n in range(24):
        found = create({}).readings(RealClock())
        first = asyncio.create_task(anext(found))
        await asyncio.sleep(0.002 * n)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await found.aclose()
        assert not _listeners()


async def test_a_display_that_hangs_while_pynput_loads_holds_up_nothing(xvfb, monkeypatch):
    """T6: pynput asks the display when it is imported; a withdrawal must be obeyed meanwhile."""
    back = threading.Event()
    monkeypatch.setattr(pynput_events, "_load", lambda _part: back.wait())
    monkeypatch.setattr(pynput_events, "_READY_S", 0.2)
    ticking = asyncio.create_task(asyncio.sleep(0.05))
    try:
        with pytest.raises(DeviceError, match="the display does not answer"):
            await anext(create(KEYBOARD).readings(RealClock()))
        assert ticking.done()
    finally:
        back.set()


async def test_listeners_are_stopped_side_by_side(xvfb, monkeypatch):
    """T6: at a display that hangs each takes its limit; one after the other that is over 5 s."""
    both, stop = asyncio.Barrier(2), pynput_events.Listening.stop

    async def meet(listening: pynput_events.Listening) -> None:
        await both.wait()
        await stop(listening)

    monkeypatch.setattr(pynput_events.Listening, "stop", meet)
    async with asyncio.timeout(PATIENCE_S):
        items = create({}).readings(RealClock())
        await anext(items)
        await items.aclose()
    assert not _listeners()


async def test_a_display_that_hangs_is_let_go_of_in_time_and_forgotten_later(xvfb, monkeypatch):
    monkeypatch.setattr(pynput_events, "_STOP_S", 0.2)
    async with asyncio.timeout(PATIENCE_S):
        items = create({}).readings(RealClock())
        await anext(items)
        os.kill(xvfb.pid, signal.SIGSTOP)
        try:
            await items.aclose()
        finally:
            os.kill(xvfb.pid, signal.SIGCONT)
        await wait_until(lambda: not _listeners())


def _listeners() -> list[object]:
    return [
        thread
        for thread in threading.enumerate()
        if any(kind.__module__.startswith("pynput.") for kind in type(thread).__mro__)
    ]


async def test_a_display_that_goes_away_is_one_clear_line(monkeypatch, capfd):
    with virtual_display() as display:
        monkeypatch.setenv("DISPLAY", display.name)
        found = create({}).readings(RealClock())
        assert await anext(found) == KEYBOARD_OK
        assert await anext(found) == POINTER_OK
    with pytest.raises(DeviceError, match="the display went away"):
        async with asyncio.timeout(PATIENCE_S):
            await anext(found)
    assert "Traceback" not in capfd.readouterr().err


async def test_no_display_is_one_clear_line(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(DeviceError, match="there is no display; start this inside") as error:
        await anext(create({}).readings(RealClock()))
    assert "\n" not in str(error.value)


def test_a_display_that_refuses_is_one_clear_line_in_a_fresh_process():
    code = (
        "import asyncio, time\n"
        "from sensors.hid.listener import create\n"
        "async def main():\n"
        "    await anext(create({}).readings(time))\n"
        "from sensors.errors import DeviceError\n"
        "try:\n    asyncio.run(main())\n"
        "except DeviceError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"DISPLAY": ":64999", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.startswith("keyboard and pointer cannot be seen: ")
    assert done.stdout.count("\n") == 1
    assert not done.stderr


@pytest.mark.parametrize(
    ("platform", "environ", "words"),
    [
        ("linux", {"DISPLAY": ":0"}, None),
        ("linux", {}, "there is no display"),
        ("linux", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "Wayland"),
        ("linux", {"DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland"}, "Wayland"),
        ("win32", {}, None),
        ("darwin", {}, None),
    ],
)
def test_which_sessions_can_be_seen(platform, environ, words):
    problem = display_problem(platform, environ)
    assert problem is None if words is None else words in (problem or "")


async def test_a_machine_without_pynput_names_the_command(xvfb, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynput", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'agent-wellbeing\[hid\]'"):
        await anext(create({}).readings(RealClock()))


def test_create_checks_its_options():
    assert isinstance(create({}), Collector)
    assert create({}).channels == {Channel.KEYBOARD, Channel.POINTER}
    assert create(POINTER).channels == {Channel.POINTER}
    with pytest.raises(ConfigurationError, match=r"\[hid\] channels is heart; expected keyboard"):
        create({"channels": ["heart"]})
    with pytest.raises(ConfigurationError, match=r"unknown key 'chanels'"):
        create({"chanels": ["keyboard"]})
