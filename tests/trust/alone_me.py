"""Runs `wellbeing me` in a network of its own that leads nowhere, and looks at it from inside.

Started by its test as ``unshare --net python -m tests.trust.alone_me DIRECTORY``;
prints one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from tests.rig.waiting import wait_until
from tests.trust.alone import attempts, environment_of, family_of, raise_loopback

EPISODE = '[{"start_s": 600, "ramp_s": 20, "hold_s": 900, "strength": 2.0}]'
WITHIN_S = 240.0


def listening(pids: Iterable[int]) -> set[str]:
    """Return every address at which one of `pids` takes connections or datagrams."""
    mine = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                found = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
                mine |= {found[1]} if found else set()
    addresses = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in mine:
                addresses.add(_address(words[1].partition(":")[0]))
    return addresses


def _address(text: str) -> str:
    data = b"".join(bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8))
    return socket.inet_ntop(socket.AF_INET6 if len(data) == 16 else socket.AF_INET, data)


def main(directory: Path) -> None:
    """Run it until the strained person was told, and print what was found."""
    raise_loopback()
    command = [sys.executable, "-m", "tests.trust.hurried", "me", "--collector", "simulated"]
    command += ["--consent", "heart,keyboard,pointer,modules", "--state-dir", str(directory)]
    command += ["--option", f"simulated.episodes={EPISODE}", "--option", "simulated.seed=4"]
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        reader = threading.Thread(target=lambda: said.extend(process.stdout or ()))
        reader.start()
        try:
            found = _look(process, said)
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
            reader.join()
    found |= {"code": code, "said": said, "attempts": attempts()}
    sys.stdout.write(json.dumps(found))


def _look(process: subprocess.Popen[str], said: list[str]) -> dict[str, object]:
    wait_until(
        lambda: any("nobody else is told" in line for line in said) or process.poll() is not None,
        WITHIN_S,
        "the notice",
    )
    pids = list(family_of(process.pid))
    secrets = {environment_of(pid).get("WELLBEING_BROKER_PASSWORD") for pid in pids} - {None}
    return {
        "processes": len(pids),
        "listening": sorted(listening(pids)),
        "passwords": len(secrets),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
