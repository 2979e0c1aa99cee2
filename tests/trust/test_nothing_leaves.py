"""TRUST T4 and T5: nothing phones home, and no secret lies about."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def in_a_network_of_its_own(*command: str) -> list[str]:
    """Return `command` in an empty network namespace; an ordinary person needs one of their own."""
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own, "--net", *command]


@pytest.mark.needs("unshare", "chromium")
def test_the_trial_runs_without_a_network_tries_for_none_and_shows_no_password(tmp_path):
    """Broker, server, store, dashboard and 24 edges; the page in a real browser."""
    ended = subprocess.run(
        in_a_network_of_its_own(sys.executable, "-m", "tests.trust.alone", str(tmp_path / "up")),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["attempts"] == 0, "something tried to reach beyond this machine"
    assert found["hosts"] == ["127.0.0.1"]
    assert found["leaks"] == []
    assert found["plan_mode"] == "0o600"
    # The search must have had something to find, and somewhere to look.
    assert found["passwords"] == 26, "24 agents, server and dashboard"
    assert found["topics"] >= 24
    assert {"file detect.log", "file dashboard.log", "file floor.log"} <= set(found["places"])


@pytest.mark.needs("unshare")
def test_an_attempt_would_be_counted():
    """The count itself must be able to fail."""
    code = (
        "import socket\nfrom tests.trust.alone import attempts, raise_loopback\n"
        "raise_loopback()\nbefore = attempts()\n"
        "for address in ('192.0.2.1', '2001:db8::1'):\n"
        "    try:\n        socket.create_connection((address, 80), 1)\n"
        "    except OSError:\n        pass\n"
        "print(attempts() - before)\n"
    )
    ended = subprocess.run(
        in_a_network_of_its_own(sys.executable, "-c", code),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ended.stdout) >= 1
