"""End with the process that started us, also when that one was killed outright."""

from __future__ import annotations

import os
import signal
import threading
import time

VARIABLE = "WELLBEING_PARENT"
"""Environment variable with the process id of the parent to end with."""

_LOOK_EVERY_S = 1.0


def end_with_parent() -> None:
    """Send ourselves SIGTERM once the parent named in the environment is gone.

    Without `VARIABLE`, and on Windows (where an orphan keeps its parent's id),
    nothing happens. Looking once a second works on Linux and macOS alike, and
    leaves us the time to end in order, which a signal from the kernel at the
    parent's death (Linux only) would tie to one thread of it.
    """
    parent = os.environ.pop(VARIABLE, "")  # our own children are not meant
    if parent.isdecimal() and os.name == "posix":
        threading.Thread(target=_watch, args=(int(parent),), daemon=True, name="parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
