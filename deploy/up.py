"""One command to a living dashboard: ``python3 deploy/up.py``.

Makes ``.venv`` with what the server and the dashboard need (the first time, or
when the versions have changed), then becomes ``wellbeing up``. Arguments are
passed on: ``python3 deploy/up.py --help``.
"""

from __future__ import annotations

import os
import subprocess
import sys

import bootstrap

VENV, EXTRAS = ".venv", "server,dashboard"


def main() -> int:
    """Prepare and hand over."""
    bootstrap.require_python()
    venv = bootstrap.environment(VENV, EXTRAS)
    command = [bootstrap.program_of(venv, "wellbeing"), "up", *sys.argv[1:]]
    if os.name != "nt":
        os.execv(command[0], command)  # become it: one process tree, one Ctrl-C
    return subprocess.call(command)


if __name__ == "__main__":
    bootstrap.run(main)
