"""One command that sets up and runs every check and test: ``python3 tests/run.py``.

``--yes`` (or CI=true) installs without asking; ``--no-install`` touches no
system package. Everything else is passed on to pytest:
``python3 tests/run.py -k topics -x``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy"))

import bootstrap  # noqa: E402
from bootstrap import say  # noqa: E402

VENV, EXTRAS = ".venv-test", "test"

# Debian package: what the tests use it for. `tests/rig/needs.py` counts tests by program.
PACKAGES = {
    "mosquitto": "MQTT broker",
    "influxdb": "InfluxDB 1.6",
    "victoria-metrics": "a server that takes InfluxDB 2.x's write call",
    "nats-server": "cluster broker",
    "chromium": "the dashboard in a real browser",
    "chromium-driver": "the dashboard in a real browser",
    "xvfb": "keyboard and mouse without a screen",
    "xdotool": "keyboard and mouse without a screen",
    "dbus-daemon": "screen lock without a desktop",
    "pulseaudio": "microphone without a sound card",
    "pulseaudio-utils": "microphone without a sound card",
    "libasound2-plugins": "microphone without a sound card",
    "libportaudio2": "microphone",
    "espeak-ng": "speech to analyse",
    "sox": "music to be told from speech",
    "gcc": "the firmware, and evdev",
    "g++": "the firmware's headers in C++",
    "make": "the firmware's Makefile",
    "perl": "a board in another language",
    "fonts-noto-cjk": "Chinese pages in screenshots",
}

# Debian packages of the interpreter itself, and whether this interpreter has their content.
OF_PYTHON = {
    "python3-venv": lambda: importlib.util.find_spec("ensurepip") is not None,
    # evdev, which reads the keyboard on Linux, comes without a wheel
    "python3-dev": lambda: Path(sysconfig.get_path("include"), "Python.h").exists(),
}

# More than half of the time passes waiting for real parts, so there are two processes more than
# there are processors; a file stays in one, because some of its tests share a server.
PROCESSES = min(6, (os.cpu_count() or 1) + 2)
SIDE_BY_SIDE = (
    *("-n", str(PROCESSES), "--dist", "loadfile"),
    "--no-loadscope-reorder",  # else the file with one test of minutes comes last, alone
)

CHECKS = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("import contracts", ["lint-imports"]),
)


def main() -> int:
    """Install, check, test; return 0 only when all of it went well."""
    os.chdir(ROOT)
    # A shell that starts this in the background has Ctrl-C ignored, and tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    bootstrap.require_python()
    arguments = sys.argv[1:]
    own = [a for a in arguments if a in {"--yes", "--no-install"}]
    for_pytest = [a for a in arguments if a not in own]
    prepare_system(
        may_ask="--yes" not in own and not in_ci(), may_install="--no-install" not in own
    )
    is_new = not bootstrap.is_ready(VENV, EXTRAS)
    if is_new:
        say(f"Python packages (versions of constraints.txt) go into {VENV}, nowhere else.")
    venv = bootstrap.environment(VENV, EXTRAS)
    # The tests start Python hundreds of times: what one has compiled, no other should again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with _beside(venv, "mypy") as types:  # a minute on one processor: the tests need not wait
        failed = [name for name, command in CHECKS if not _passes(venv, name, command)]
        if is_new:
            _compile(venv)
        say("== pytest")
        code = subprocess.call(
            [str(bootstrap.python_of(venv)), "-m", "pytest", *SIDE_BY_SIDE, *for_pytest]
        )
        if not types():
            failed.append("mypy")
    if failed:
        say(f"FAILED besides pytest: {', '.join(failed)}")
    return code or (1 if failed else 0)


def in_ci() -> bool:
    """Return whether nobody is there to be asked."""
    return os.environ.get("CI", "").lower() in {"true", "1"}


def _passes(venv: Path, name: str, command: list[str]) -> bool:
    say(f"== {name}")
    return subprocess.call([bootstrap.program_of(venv, command[0]), *command[1:]]) == 0


def _compile(venv: Path) -> None:
    """Read every test once: else all processes of pytest compile the same at the same time."""
    say("Compiling (once; half a minute) ...")
    read = [str(bootstrap.python_of(venv)), "-m", "pytest", "--collect-only", "-qq"]
    # What is wrong with a file is told by the real run.
    subprocess.call(read, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def _beside(venv: Path, name: str) -> Iterator[Callable[[], bool]]:
    """Run a check at the same time; what is given shows all it said and whether it passed."""
    command = [bootstrap.program_of(venv, name)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )

    def outcome() -> bool:
        said, _ = process.communicate()
        say(f"== {name}\n{said.rstrip()}")
        return process.returncode == 0

    try:
        yield outcome
    finally:
        process.kill()  # does nothing to one that has ended
        process.wait()


def prepare_system(*, may_ask: bool, may_install: bool) -> None:
    """Install missing Debian packages where that is possible and wanted; name what is missing."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-query") is None:
        say("No apt here. For every test to run, install by hand:")
        _name(list(PACKAGES))
        return
    missing = [package for package in PACKAGES if not _is_installed(package)]
    missing += [package for package, is_there in OF_PYTHON.items() if not is_there()]
    if not missing:
        return
    say("These Debian packages are missing (some start a service; the tests use their own ports):")
    _name(missing)
    prefix = _root_prefix()
    if not may_install or prefix is None:
        why = "as you asked" if not may_install else "neither root nor sudo here"
        say(f"Not installing them ({why}); tests that need them are counted at the end.")
    elif may_ask and not _agrees():
        say("Not installing them; tests that need them are counted at the end.")
    else:
        _install(prefix, missing)


def _name(packages: list[str]) -> None:
    for package in packages:
        say(f"  {package:<20} {PACKAGES.get(package, 'Python packages')}")


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout == "installed"


def _root_prefix() -> list[str] | None:
    """Return what to put before a command to run it as root; None if that is not possible."""
    if os.geteuid() == 0:
        return []
    return ["sudo"] if shutil.which("sudo") else None


def _agrees() -> bool:
    if not sys.stdin.isatty():
        say("Nobody to ask; run with --yes to install them.")
        return False
    try:
        return input("Install them with apt-get? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _install(prefix: list[str], missing: list[str]) -> None:
    """Install what this system has; a package it does not have stays missing and is named."""
    if "sudo" in prefix:
        prefix = [*prefix, "env"]
    apt = [*prefix, "DEBIAN_FRONTEND=noninteractive"] if prefix else []
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    quiet = ["apt-get", "-q", "-y"]
    if subprocess.call([*apt, *quiet, "update"], env=environ):
        say("apt-get update failed; trying with the package lists at hand.")
    offered = [package for package in missing if _is_offered(package)]
    for package in sorted(set(missing) - set(offered)):
        say(f"This system offers no package {package}.")
    command = [*apt, *quiet, "install", "--no-install-recommends", *offered]
    if offered and subprocess.call(command, env=environ):
        raise bootstrap.SetupError("apt-get could not install the packages; see above")


def _is_offered(package: str) -> bool:
    command = ["apt-cache", "show", "--no-all-versions", package]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    bootstrap.run(main)
