"""A flag that a signal handler raises while the thread it interrupts waits for it."""

import subprocess
import sys
import threading

import pytest

from sensors.interruption import Interruption
from tests.rig import wait_until

# Interrupts a waiting thread before its n-th line, for every n until it has none so late.
INTERRUPTED = """
import signal, sys, threading
from sensors.interruption import Interruption

def interrupted_before(line):
    flag, lines = {kind}(), 0
    signal.signal(signal.SIGINT, lambda *_: flag.set())

    def look(frame, event, _):
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == line:
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return look

    sys.settrace(look)
    flag.wait(0.01)
    sys.settrace(None)
    return lines == line and flag.is_set()

count = 1
while interrupted_before(count):
    count += 1
print(count > 3)
"""


def interrupted(kind, timeout_s):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(kind=kind)],
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr


def test_a_handler_may_set_it_wherever_its_own_thread_waits():
    assert interrupted("Interruption", 60) == ("True\n", "")


def test_an_event_of_the_library_would_wait_for_itself():
    with pytest.raises(subprocess.TimeoutExpired):
        interrupted("threading.Event", 5)


def test_everybody_who_waits_is_woken_and_nobody_waits_after():
    flag, woken = Interruption(), []
    threads = [
        threading.Thread(target=lambda: woken.append(flag.wait()), daemon=True) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert not flag.wait(0.01)
    flag.set()
    wait_until(lambda: len(woken) == 3, what="all three")
    for thread in threads:
        thread.join()
    assert woken == [True] * 3
    assert flag.is_set()
    assert flag.wait(0)
    flag.clear()
    assert not flag.is_set()
    assert not flag.wait(-1.0)
