"""Imports point one way, drivers stay where they belong."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

import wellbeing

ROOT = Path(__file__).parents[2]
PACKAGES = ("sensors", "analytics", "dashboard", "firmware_bridge")
DRIVERS = {
    "Xlib", "amqtt", "babel", "bleak", "dbus_fast", "evdev", "influxdb_client", "jinja2", "librosa",
    "msgspec", "nats", "numba", "paho", "pynput", "scipy", "serial", "sounddevice", "soundfile",
    "starlette", "streamlit", "uvicorn",
}  # fmt: skip
# STYLE: each third-party driver is imported in exactly one file.
SINGLE = DRIVERS - {"scipy", "streamlit", "numba"}


def _fresh(code):
    """Return what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("sensors", set()),
        ("sensors.messages", set()),
        ("sensors.signals", set()),
        ("sensors.topics", set()),
        ("sensors.collector", set()),
        ("sensors.codec", {"msgspec"}),
        ("sensors.config", {"msgspec"}),
        ("sensors.mqtt", {"msgspec", "paho"}),
        ("sensors.words", set()),
        ("sensors.edge.page.companion", {"msgspec"}),
        ("wellbeing", set()),
    ],
)
def test_importing_the_contracts_loads_no_driver(module, allowed):
    loaded = _fresh(f"import sys, {module}; print(*{{m.split('.')[0] for m in sys.modules}})")
    assert module.split(".", maxsplit=1)[0] in loaded
    assert loaded & DRIVERS == allowed


def test_the_server_needs_no_driver_of_the_edge():
    """A server installs no bleak, pynput or librosa: it must start without them."""
    code = "import sys, analytics.events, analytics.signals.features, analytics.store.base, sensors.mqtt"
    loaded = _fresh(f"{code}; print(*{{m.split('.')[0] for m in sys.modules}})")
    assert loaded & {"bleak", "pynput", "librosa", "sounddevice", "soundfile", "serial"} == set()


def test_a_command_of_the_edge_waits_for_no_numpy():
    """It would take a quarter of the time until ``pause`` is asked for."""
    edge = wellbeing.VERBS["edge"].target.partition(":")[0]
    loaded = _fresh(f"import sys, {edge}; print(*{{m.split('.')[0] for m in sys.modules}})")
    assert "numpy" not in loaded
    assert "sensors" in loaded


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_each_driver_is_imported_in_one_file():
    importers = defaultdict(set)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for name in set(_imports(path)) & SINGLE:
                importers[name].add(str(path.relative_to(ROOT)))
    assert {"msgspec", "paho"} <= set(importers)
    assert {name: files for name, files in importers.items() if len(files) > 1} == {}


def test_import_contracts_hold():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "5 kept, 0 broken" in done.stdout


RIM = {
    "asyncio", "concurrent", "io", "logging", "multiprocessing", "os", "pathlib", "shutil", "signal",
    "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip


@pytest.mark.parametrize("room", ["hrv", "signals", "scoring", "alerts", "simulation"])
def test_a_pure_room_touches_no_clock_file_socket_or_thread(room):
    for path in (ROOT / "analytics" / room).rglob("*.py"):
        assert set(_imports(path)) & RIM == set(), path
        assert ".now(" not in path.read_text(encoding="utf-8"), path


def test_what_of_the_edge_calls_itself_pure_is():
    pure = [
        path
        for path in (ROOT / "sensors/edge").rglob("*.py")
        if path.read_text(encoding="utf-8").partition("\n")[0].removesuffix('"""').endswith("Pure.")
    ]
    assert len(pure) >= 17
    for path in pure:
        assert set(_imports(path)) & RIM == set(), path
        assert ".now(" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("half", ["analytics", "sensors/edge"])
def test_every_room_has_its_floor_and_its_line(half):
    rooms = {path.parent.name for path in (ROOT / half).glob("*/__init__.py")}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == [half.replace("/", ".")]
    )
    floors = {name.strip() for layer in contract["layers"] for name in layer.split("|")}
    page = (ROOT / half / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)/`", page))
    assert rooms <= floors
    assert rooms == told
