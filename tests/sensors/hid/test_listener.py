"""A real X server: known timing in, known timing out; a typed secret found nowhere."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import time
from collections import deque
from contextlib import aclosing

import numpy as np
import pytest

from sensors.collector import Collector, Link, Note, Reading
from sensors.desk import xserver
from sensors.errors import ConfigurationError
from sensors.hid import listener
from sensors.hid.backend import Backend, Waiting
from sensors.hid.keys import KeyDropper
from sensors.hid.listener import create
from sensors.hid.pynput_events import combination_listener
from sensors.hid.x11_events import X11Backend
from sensors.signals import Channel
from tests.rig.clocks import RealClock
from tests.rig.waiting import PATIENCE_S
from tests.rig.waiting import wait_until_async as wait_until
from tests.sensors.hid.x11 import (
    KEYBOARD,
    KEYBOARD_OK,
    POINTER,
    POINTER_OK,
    SENT,
    gather,
    remapped,
    values,
    xdotool,
)

BACKENDS = pytest.mark.parametrize("options", [{}, {"backend": "pynput"}], ids=["x11", "pynput"])

pytestmark = [pytest.mark.needs("Xvfb", "xdotool"), pytest.mark.usefixtures("x11")]


async def test_typing_with_known_timing(xvfb):
    text = "thequickbrownfox"
    typing = [
        w for key in text for w in ("keydown", key, "sleep", "0.08", "keyup", key, "sleep", "0.12")
    ]
    links, readings = await gather(create(KEYBOARD), xvfb, typing, last="dwell_ms", count=len(text))
    assert links == [KEYBOARD_OK]
    assert len(values(readings, "key_presses")) == len(text)
    # xdotool sleeps at least so long, and a machine that is five times as slow only adds to it;
    # by when we came to look they would last 0 or 200 ms.
    dwell, flight = values(readings, "dwell_ms"), values(readings, "flight_ms")
    assert len(dwell) == len(text)
    assert len(flight) == len(text) - 1
    assert min(dwell) > 75
    assert min(flight) > 115
    assert 75 < np.median(dwell) < 5 * 80
    assert 115 < np.median(flight) < 5 * 120
    assert not values(readings, "pointer_speed_px_s")


@BACKENDS
async def test_typing_and_pointing_are_seen_by_either_backend(xvfb, options):
    """pynput is what Windows and macOS run; here on X, where its callbacks come late if at all."""
    _, readings = await gather(
        create(options), xvfb, ["type", "--delay", "40", "slowly"], ["key", "BackSpace"],
        ["mousemove", "10", "10", *SENT, "mousemove", "300", "10", "sleep", "0.1", "click", "1",
         "click", "4"],
        last="scroll_steps", count=1,
    )  # fmt: skip
    assert len(values(readings, "key_presses")) == len("slowly") + 1
    assert sum(values(readings, "key_corrections")) == 1
    assert sum(values(readings, "pointer_clicks")) == 1
    assert values(readings, "scroll_steps") == [1.0]


@BACKENDS
async def test_characters_without_a_key_of_their_own_are_counted_and_timed(xvfb, options):
    """All of them have one name, because the server's keymap changes under us."""
    text = "你好世界辛苦了"
    # pynput dates an event when it is called: two that it is told of at once, after a moment
    # in which the machine was busy, would be one key that repeats. So each waits for the last.
    left, readings = [*text], []
    collector = create({**KEYBOARD, **options})
    async with asyncio.timeout(PATIENCE_S), aclosing(collector.readings(RealClock())) as found:
        async for item in found:
            if isinstance(item, Reading):
                readings.append(item)
            if isinstance(item, Link) or item.signal == "dwell_ms":
                if not left:
                    break
                await xdotool(xvfb, "type", left.pop(0))
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


async def test_a_key_that_becomes_backspace_is_one_from_then_on(xvfb):
    """Another layout, or a remapped Caps Lock: the server tells of it, and is asked anew."""
    backend = X11Backend(frozenset({Channel.KEYBOARD}), RealClock(), Waiting())
    readings: list[Reading] = []

    def corrections() -> int:
        backend.settle(time.monotonic())
        readings.extend(backend.waiting.take())
        return int(sum(values(readings, "key_corrections")))

    (code,) = xserver.key_codes(["Scroll_Lock"])
    await backend.start()
    try:
        await xdotool(xvfb, "key", str(code), *SENT)
        await wait_until(lambda: not corrections() and values(readings, "key_presses"))
        with remapped(xvfb, code, "BackSpace"):
            await wait_until(lambda: corrections() or code in backend._corrections)
            await xdotool(xvfb, "key", str(code), *SENT)
            await wait_until(lambda: corrections() == 1)
    finally:
        await backend.stop()


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
    assert values(readings, "dwell_ms")[-1] > 1150


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
    assert 200 < np.median(values(readings, "pointer_speed_px_s")) < 1300  # 20 px in 20 ms or more
    assert values(readings, "pointer_straightness")[-1] == pytest.approx(1.0, abs=0.01)
    assert sum(values(readings, "pointer_clicks")) == 1
    # Slept at least; a loaded machine only adds to it.
    assert values(readings, "click_dwell_ms")[0] > 110
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
    assert np.median(values(readings, "dwell_ms")) < 5 * 50


async def test_both_at_once(xvfb):
    seen: list[Link | Reading] = []
    async with asyncio.timeout(PATIENCE_S), aclosing(create({}).readings(RealClock())) as found:
        async for item in found:
            seen.append(item)
            if len(seen) == 2:
                await xdotool(xvfb, "key", "x", "click", "1")
            # Either may come first: the key is known to be up a moment later.
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
    listening = combination_listener("<ctrl>+<alt>+p", lambda: presses.append(1))
    await listening.start()
    try:
        await xdotool(xvfb, "type", "--delay", "10", "pop secret")
        await xdotool(xvfb, "key", "ctrl+p", "ctrl+alt+p", *SENT)
        await wait_until(lambda: presses)
    finally:
        await listening.stop()
    assert presses == [1]
    (hotkey,) = listening._listener._hotkeys
    assert hotkey._state == set()
    with pytest.raises(ConfigurationError, match="no such key; choose another"):
        combination_listener("<no_such_key>", lambda: None)


async def test_readings_that_nobody_fetched_are_counted_and_told(monkeypatch):
    class Flood(Backend):
        async def start(self) -> None:
            self.waiting.put(Reading("key_presses", 1.0, float(n)) for n in range(5000))

        def settle(self, now_s: float) -> frozenset[Channel]:
            return self.channels

        async def stop(self) -> None:
            pass

    monkeypatch.setattr(
        listener,
        "_build",
        lambda _wanted, channels, clock, waiting: Flood(channels, clock, waiting),
    )
    seen = []
    async with aclosing(create(KEYBOARD).readings(RealClock())) as found:
        async for item in found:
            seen.append(item)
            if isinstance(item, Note):
                break
    kept = [one for one in seen if isinstance(one, Reading)]
    assert seen[-1] == Note(lost=5000 - len(kept))
    assert kept[-1].at_monotonic_s == 4999.0  # the oldest went


def test_create_checks_its_options():
    assert isinstance(create({}), Collector)
    assert create({}).channels == {Channel.KEYBOARD, Channel.POINTER}
    assert create(POINTER).channels == {Channel.POINTER}
    with pytest.raises(ConfigurationError, match=r"\[hid\] channels is heart; expected keyboard"):
        create({"channels": ["heart"]})
    with pytest.raises(ConfigurationError, match=r"unknown key 'chanels'"):
        create({"chanels": ["keyboard"]})
