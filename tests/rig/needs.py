"""Tests that need an external program: skipped and counted, or failed in CI. Never silent."""

import os
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.rig.process import find_program

# The Debian package of each program a test may name, for the remedy.
PACKAGES = {
    "Xvfb": "xvfb",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "dbus-daemon": "dbus-daemon",
    "espeak-ng": "espeak-ng",
    "g++": "g++",
    "gcc": "gcc",
    "influxd": "influxdb",
    "ip": "iproute2",
    "make": "make",
    "mosquitto": "mosquitto",
    "nats-server": "nats-server",
    "paplay": "pulseaudio-utils",
    "perl": "perl",
    "pulseaudio": "pulseaudio",
    "sox": "sox",
    "systemd-analyze": "systemd",
    "tc": "iproute2",
    "unshare": "util-linux",
    "victoria-metrics": "victoria-metrics",
    "xdotool": "xdotool",
}

# A test that uses the fixture needs the program, whether or not it says so.
FIXTURE_PROGRAMS = {
    "chromium": "chromium",
    "influxd": "influxd",
    "mosquitto": "mosquitto",
    "mosquitto_factory": "mosquitto",
    "nats": "nats-server",
    "victoria_metrics": "victoria-metrics",
    "xvfb": "Xvfb",
}

if not os.environ.get("WELLBEING_TEST_INFLUX_URL"):
    FIXTURE_PROGRAMS |= {"any_influx": "influxd", "breakable_influx": "influxd"}

_MISSING = "missing programs"


def in_ci() -> bool:
    """Return whether this run must not skip anything."""
    return os.environ.get("CI", "").lower() in {"true", "1"}


def programs_of(item: pytest.Item) -> list[str]:
    """Return the programs a test needs, by marker and by fixture, each once."""
    named = [name for mark in item.iter_markers("needs") for name in mark.args]
    fixtures: Iterable[str] = getattr(item, "fixturenames", ())
    used = [FIXTURE_PROGRAMS[name] for name in fixtures if name in FIXTURE_PROGRAMS]
    return list(dict.fromkeys([*named, *used]))


def require(item: pytest.Item) -> None:
    """Skip `item` and count it when a program is missing; fail it in CI."""
    missing = [name for name in programs_of(item) if find_program(name) is None]
    if not missing:
        return
    names = ", ".join(sorted(missing))
    if in_ci():
        pytest.fail(f"missing {names}; CI must have it: {_remedy([missing])}", pytrace=False)
    item.user_properties.append((_MISSING, names))  # travels with the report of a worker process
    pytest.skip(f"missing {names}")


def report(write_line: pytest.TerminalReporter) -> None:
    """Say in the summary how many tests could not run, and what to install."""
    skipped = write_line.stats.get("skipped", [])
    counted = Counter(
        names for each in skipped for key, names in each.user_properties if key == _MISSING
    )
    if not counted:
        return
    write_line.section("could not run", sep="=", yellow=True, bold=True)
    for names, number in sorted(counted.items()):
        tests = "test" if number == 1 else "tests"
        write_line.write_line(f"{number} {tests} could not run: missing {names}", yellow=True)
    missing = [names.split(", ") for names in counted]
    write_line.write_line(f"install: {_remedy(missing)}", yellow=True)


def _remedy(missing: Iterable[Iterable[str]]) -> str:
    packages = sorted({PACKAGES.get(name, name) for names in missing for name in names})
    return f"apt-get install {' '.join(packages)}"
