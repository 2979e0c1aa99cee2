"""A real server as a child process: started, watched until ready, and always taken down."""

import contextlib
import http.client
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.rig.waiting import PATIENCE_S, POLL_S

STOP_WITHIN_S = 30.0
"""What a server is given to write down what it keeps; then it is killed. [s]"""

# Debian keeps daemons in sbin, which is not in everybody's PATH.
SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)

_PORTS = range(10_000, 32_000)
"""Below those that Linux, macOS and Windows give to whoever names none."""

_SHARES = 11
"""More than there are ever processes of pytest at once."""

# Not from the first: another run on this machine, of another checkout, does the same.
_tried = itertools.count(random.SystemRandom().randrange(len(_PORTS)))


def find_program(name: str) -> str | None:
    """Return the path of the program called `name`, or None."""
    return shutil.which(name, path=SEARCH_PATH)


def free_port() -> int:
    """Return a TCP port of the loopback address that stays free until its server takes it.

    Whoever asks the system for any port, and every connection, gets one above
    these, and each process of pytest has some of its own: a server that starts
    late, or is down for a while, finds its port free.
    """
    for port in _own_ports():
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def _own_ports() -> Iterator[int]:
    """Yield each port of this process once, from where the last search ended."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    size = len(_PORTS) // _SHARES
    mine = _PORTS[int(worker) % _SHARES * size :][:size]
    for _ in mine:
        yield mine[next(_tried) % size]


def answers_tcp(port: int) -> bool:
    """Return whether something accepts connections on `port` of the loopback address."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False


def answers_http(port: int, path: str) -> bool:
    """Return whether ``GET path`` on `port` of the loopback address succeeds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end(process: subprocess.Popen[Any]) -> None:
    """Ask `process` to end (SIGTERM), and kill it if it does not."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def children_of(pid: int) -> list[int]:
    """Return the processes that `pid` started and that have not been reaped."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


def lives(pid: int) -> bool:
    """Return whether this process runs: one that has ended may wait for ever to be reaped.

    In a container nobody may do that for those whose parent was killed.
    """
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Server:
    """One server process that keeps its port and its directory across restarts.

    Subclasses name the `program` and say what to run and when it is ready.
    """

    program = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log_path = directory / f"{self.program}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return the arguments after the program; writes configuration if there is any."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Return whether the server answers."""
        raise NotImplementedError

    @property
    def log(self) -> str:
        """Everything the server has said so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, f"{self.program} is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and return once the server answers."""
        assert not self.is_running, f"{self.program} runs already"
        program = find_program(self.program)
        assert program is not None, f"{self.program} is not installed"
        command = [program, *self.command()]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches pytest only, which then tears down
            )
        late_s = time.monotonic() + PATIENCE_S
        while not self.is_ready():
            if not self.is_running or time.monotonic() > late_s:
                self.kill()
                raise AssertionError(f"{self.program} did not start:\n{self.log[-4000:]}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End politely (SIGTERM); what it keeps on disk is written. Does nothing when stopped."""
        if self.is_running:
            self.resume()
            self._signal(signal.SIGTERM)
        self._reap(STOP_WITHIN_S)

    def kill(self) -> None:
        """End at once (SIGKILL), as a power cut would."""
        if self.is_running:
            self._signal(signal.SIGKILL)
        self._reap(STOP_WITHIN_S)

    def restart(self) -> None:
        """Stop and start on the same port with the same directory."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze (SIGSTOP): connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self.pid, number)

    def _reap(self, within_s: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._process = None
