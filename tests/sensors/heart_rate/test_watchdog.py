"""When a connected device is called dead."""

from __future__ import annotations

from sensors.heart_rate.watchdog import LONGEST_S, Watchdog


def test_silence_is_waited_for_from_the_last_beat():
    watchdog = Watchdog(15.0)
    watchdog.connected(100.0)
    assert watchdog.due_s == 115.0
    watchdog.beat(110.0)
    assert watchdog.due_s == 125.0


def test_talk_without_a_beat_puts_nothing_off():
    watchdog = Watchdog(15.0)
    watchdog.connected(100.0)
    watchdog.talked()
    assert watchdog.due_s == 115.0


def test_the_devices_word_that_it_is_not_worn_does():
    watchdog = Watchdog(15.0)
    watchdog.connected(100.0)
    watchdog.not_worn(114.0)
    assert watchdog.due_s == 129.0


def test_one_that_only_talks_is_connected_to_less_and_less_often():
    watchdog, waits = Watchdog(15.0), []
    for _ in range(8):
        watchdog.connected(0.0)
        waits.append(watchdog.due_s)
        watchdog.talked()
    assert waits == [15, 30, 60, 120, 240, LONGEST_S, LONGEST_S, LONGEST_S]
    watchdog.beat(0.0)
    watchdog.connected(0.0)
    assert watchdog.due_s == 15.0


def test_a_silent_one_is_not_waited_for_longer():
    watchdog = Watchdog(15.0)
    for _ in range(5):
        watchdog.connected(0.0)
        assert watchdog.due_s == 15.0
