"""The writer as a process of its own: started, listened to, and started again if it dies.

Scoring 10,000 agents and formatting what comes of it do not fit into one
interpreter at a time. So the server only appends to the spool on disk, and
another process takes it from there into the store (`analytics.writing.writer_child`).
Nothing is lost when that one dies: what it had not settled is in the spool,
and the same point told twice is one.
"""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path

from analytics.store.settings import StoreSettings
from analytics.writing.lanes import patience_s
from analytics.writing.report import StoreState
from analytics.writing.spool import SPOOL_BYTES
from analytics.writing.writer_protocol import Failure, Order, Told, begin, line, read_told
from sensors.errors import StoreUnreachableError, WellbeingError

# -P: whatever lies in the folder where the server was started is no module of it.
COMMAND = ("-P", "-m", "analytics.writing.writer_child")

STEADY_S = 60.0
"""One that has run for so long and dies is started again as if for the first time. [s]"""

LOOK_EVERY_S = 0.5
HUNG_S = 7.0
"""It gives a sign of life every second; one that gave none for so long is killed: it may have
locked the state file, and the server waits 10 s for that (`analytics.state.state_file`). [s]"""

STARTING_S = 60.0
"""So long it may take until the first one, on a machine with much to do. [s]"""

END_WITHIN_S = 20.0
"""It writes what it can within three seconds; a store may take its time over the last of it. [s]"""

_log = logging.getLogger("wellbeing.detect")


class WriterProcess:
    """Keeps one process that drains the spool of `directory` into the store.

    Parameters
    ----------
    directory : Path
        Where ``server.sqlite`` is.
    store : StoreSettings
        With its secrets: they go to the process by its standard input, and
        stand in no list of commands or environments.
    max_bytes : int
        So much may wait in the spool. [byte]
    """

    def __init__(self, directory: Path, store: StoreSettings, max_bytes: int = SPOOL_BYTES) -> None:
        self._begin = begin(str(directory), store, max_bytes)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._numbers = count(1)
        self._answers: dict[int, Future[int]] = {}
        # Counted before the process that is there now, and by that: changed together.
        self._counts = StoreState(), StoreState()
        self._patience_s = STARTING_S
        self.written_id = self.live_id = 0
        self.failure: WellbeingError | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._watch = threading.Thread(target=self._watching, name="store-watch", daemon=True)

    @property
    def state(self) -> StoreState:
        """How the store is, as the process told it last; counts over all processes."""
        before, now = self._counts
        return replace(
            now,
            written=before.written + now.written,
            refused=before.refused + now.refused,
            last_refusal=now.last_refusal or before.last_refusal,
            restarts=before.restarts,
        )

    @property
    def pid(self) -> int | None:
        """The process, if there is one just now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process."""
        self._thread.start()
        self._watch.start()

    def notify(self) -> None:
        """Say that there may be something new; it looks by itself once a second."""
        self._send(Order(do="notify"))

    def erase(self, site: str, agent: str, before: datetime | None = None) -> Future[int]:
        """Erase from the store, after all that was read from the spool before this call."""
        number, answer = next(self._numbers), Future[int]()
        with self._lock:
            self._answers[number] = answer
        if not self._send(Order(do="erase", id=number, site=site, agent=agent, before=before)):
            self._fail(number)
        return answer

    def stop(self) -> None:
        """Have it write what can be written quickly, then end it; the rest stays in the spool."""
        self._stopping.set()
        self._send(Order(do="stop"))
        if self._thread.is_alive():
            self._thread.join(END_WITHIN_S)
        # Whatever is there by then, also if it was only being started just now.
        while self._thread.is_alive():
            self._kill()
            self._thread.join(LOOK_EVERY_S)
        if self._watch.is_alive():
            self._watch.join()

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            process.kill()

    def _watching(self) -> None:
        """Kill a process that hangs: also while nobody has anything to tell it."""
        # By looks and not by the clock: after a sleep of the whole machine it has its time again.
        while not self._stopping.wait(LOOK_EVERY_S):
            self._patience_s -= LOOK_EVERY_S
            if self._process is not None and self._patience_s <= 0.0:
                _log.warning("the process that writes into the store hangs; it is killed")
                self._patience_s = STARTING_S
                self._kill()

    def _run(self) -> None:
        try:
            self._keep_one()
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            _log.exception("the store's writer cannot be kept running")
            self.failure = Failure.of(error).error()
        finally:
            self._fail(*list(self._answers))

    def _keep_one(self) -> None:
        failures = 0
        while not self._stopping.is_set() and self.failure is None:
            started_s = time.monotonic()
            try:
                how = self._serve()
            except OSError as error:
                how = f"cannot be started ({error.strerror})"
            self._fail(*list(self._answers))
            if self._stopping.is_set() or self.failure is not None:
                return
            self._died(how)
            failures = 0 if time.monotonic() - started_s >= STEADY_S else failures
            self._stopping.wait(patience_s(failures, None, random.random()))  # noqa: S311
            failures += 1

    def _serve(self) -> str:
        """Start the process and listen until it ends; return how it did."""
        with self._spawned() as process:
            try:
                self._listen(process)
            except BaseException:
                process.kill()  # its end is waited for
                raise
            finally:
                # Before its pipes are closed: their numbers may be another file's then.
                with self._lock:
                    self._process = None
        return f"has ended (exit code {process.returncode})"

    def _spawned(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_without_ours(os.environ),
            # Ctrl-C reaches only us: we tell it when to end.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # on Windows
        )
        assert process.stdin is not None  # noqa: S101 - a pipe
        _write(process, line(self._begin))
        if os.name == "posix":
            # From here on a process that hangs must not make us wait.
            os.set_blocking(process.stdin.fileno(), False)
        self._patience_s = STARTING_S
        with self._lock:
            self._process = process
        if self._stopping.is_set():
            self._send(Order(do="stop"))
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe
        for data in process.stdout:
            try:
                told = read_told(data)
            except ValueError:
                continue  # half a line: it was killed over it
            self._hear(told)

    def _hear(self, told: Told) -> None:
        self._patience_s = HUNG_S
        if told.state is not None:
            self.written_id, self.live_id = told.written_id, told.live_id
            self._counts = self._counts[0], told.state
        if told.log is not None:
            _log.log(told.level, "%s", told.log)
        error = told.error.error() if told.error is not None else None
        if told.answers is None:
            if error is not None:
                self.failure = error
                self._send(Order(do="stop"))
            return
        answer = self._taken(told.answers)
        if answer is not None and error is not None:
            answer.set_exception(error)
        elif answer is not None:
            answer.set_result(told.count)

    def _died(self, how: str) -> None:
        trouble = f"the process that writes into the store {how}"
        _log.warning("%s; results wait in the spool, starting it again", trouble)
        self._counts = (
            replace(self.state, restarts=self._counts[0].restarts + 1),
            StoreState(trouble=f"{trouble}; it is started again", catching_up=True),
        )

    def _send(self, order: Order) -> bool:
        """Return whether the process was told: there may be none just now."""
        with self._lock:
            process = self._process
            return process is not None and _write(process, line(order))

    def _taken(self, number: int) -> Future[int] | None:
        with self._lock:
            return self._answers.pop(number, None)

    def _fail(self, *numbers: int) -> None:
        for number in numbers:
            answer = self._taken(number)
            if answer is not None:
                why = "the process that writes into the store is not there"
                answer.set_exception(StoreUnreachableError(why))


def _write(process: subprocess.Popen[bytes], data: bytes) -> bool:
    assert process.stdin is not None  # noqa: S101 - a pipe
    try:
        # Whole or not at all: a pipe takes less than 4 KB at once.
        return os.write(process.stdin.fileno(), data) == len(data)
    except (OSError, ValueError):  # gone, full, or closed by us
        return False


def _without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without our own settings, secrets among them."""
    return {name: value for name, value in environ.items() if not name.startswith("WELLBEING_")}
