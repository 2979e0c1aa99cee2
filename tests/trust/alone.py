"""Runs `wellbeing up` in a network of its own that leads nowhere, and looks at it from inside.

Started by its test as ``unshare --net python -m tests.trust.alone DIRECTORY``;
prints one JSON object. A process that tries to reach anything else than this
machine finds no route, and the kernel counts it.
"""

import contextlib
import fcntl
import json
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sensors.config import BrokerSettings
from sensors.mqtt import Connection
from sensors.topics import ROOT
from tests.rig import free_port, wait_until
from tests.rig.display import chromium_page

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP


def raise_loopback() -> None:
    """Bring `lo` up, the only interface there is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, _GET_FLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", flags | _UP))


def attempts() -> int:
    """Return how often anything here tried to send where no route leads."""
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
    found = int(values[names.index("OutNoRoutes")])
    for line in Path("/proc/net/snmp6").read_text().splitlines():
        if line.startswith("Ip6OutNoRoutes"):
            found += int(line.split()[1])
    return found


def family_of(pid: int) -> Iterator[int]:
    """Yield `pid` and all that descend from it."""
    yield pid
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    for child in listed.stdout.split():
        yield from family_of(int(child))


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment a process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    pairs = (entry.decode().partition("=") for entry in entries if entry)
    return {name: value for name, _, value in pairs}


def secrets_of(directory: Path, pids: Iterable[int]) -> dict[str, str]:
    """Return every password of this trial, by user name."""
    plan = json.loads((directory / "floor.json").read_text())
    found = {agent["agent"]: agent["password"] for agent in plan["agents"]}
    for pid in pids:
        given = {}
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            given = environment_of(pid)
        if "WELLBEING_BROKER_PASSWORD" in given:
            found[given["WELLBEING_BROKER_USERNAME"]] = given["WELLBEING_BROKER_PASSWORD"]
    return found


def contents(paths: Iterable[Path]) -> dict[Path, bytes]:
    """Return what is in each file that can be read; processes and their journals come and go."""
    found = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            found[path] = path.read_bytes()
    return found


def messages(port: int, password: str, site: str, agents: int) -> dict[str, str]:
    """Return the newest payload of every topic, once each agent's retained status was seen."""
    found: dict[str, str] = {}
    line = Connection(
        BrokerSettings(port=port, username="server", password=password),
        client_id="looks-once",
        subscriptions=(f"{ROOT}/{site}/#",),
        on_message=lambda one: found.update({one.topic: repr(one.payload)}),
    )
    line.start()
    wait_until(lambda: sum("/status/" in topic for topic in found) >= agents, 90, "every status")
    line.stop()
    return found


def hosts_of_page(address: str) -> list[str]:
    """Open the page, wait for the floor, and return every host that it asked for anything."""
    hosts: set[str] = set()
    with chromium_page() as page:
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
        page.on("websocket", lambda opened: hosts.add(urlsplit(opened.url).hostname or ""))
        page.goto(address)
        page.get_by_text("as usual").first.wait_for(timeout=90_000)
    return sorted(hosts)


def main(directory: Path) -> None:
    """Run it and print what was found."""
    raise_loopback()
    command = [sys.executable, "-m", "wellbeing", "up", "--language", "en"]
    command += ["--port", str(free_port()), "--state-dir", str(directory)]
    said = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if "Ctrl-C ends everything" in line:
                break
        try:
            sys.stdout.write(json.dumps(look(process.pid, directory, said)))
        finally:
            process.send_signal(signal.SIGINT)


def look(pid: int, directory: Path, said: str) -> dict[str, object]:
    """Return what can be seen of a running trial."""
    address = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert address is not None, said
    pids = list(family_of(pid))
    passwords = secrets_of(directory, pids)
    port = int(
        re.findall(r"^port = (\d+)", (directory / "wellbeing.toml").read_text(), re.MULTILINE)[0]
    )
    kept = messages(port, passwords["server"], "trial", agents=len(passwords) - 2)
    before_browser = attempts()
    hosts = hosts_of_page(address[0])
    commands = [
        content.replace(b"\0", b" ").decode(errors="replace")
        for content in contents(Path("/proc").glob("[0-9]*/cmdline")).values()
    ]
    found = contents(path for path in directory.rglob("*") if path.is_file())
    files = {str(path.relative_to(directory)): content for path, content in found.items()}
    shown = {
        "command lines": "\n".join(commands),
        "output": said,
        "messages": "\n".join(f"{topic} {payload}" for topic, payload in kept.items()),
        **{f"file {name}": data.decode("latin-1") for name, data in files.items()},
    }
    return {
        "attempts": before_browser,
        "hosts": hosts,
        "topics": len(kept),
        "passwords": len(passwords),
        "places": sorted(shown),
        "leaks": sorted(
            f"{user} in {place}"
            for user, password in passwords.items()
            for place, text in shown.items()
            if password in text and place != "file floor.json"
        ),
        "plan_mode": oct((directory / "floor.json").stat().st_mode & 0o777),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
