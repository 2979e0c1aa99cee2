"""The worked example: installed as its package, found by its entry point, run by a real edge."""

import asyncio
import importlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import distributions
from pathlib import Path

import pytest

from sensors.collector import ENTRY_POINT_GROUP, Collector, Link, Note, Reading
from sensors.edge.collecting.clock import SystemTime
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import Absence
from sensors.recording import read_recording
from sensors.signals import Channel
from tests.rig.process import free_port
from tests.rig.waiting import wait_until_async

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "collector"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example with pip into a folder of its own, without the network."""
    folder = tmp_path_factory.mktemp("installed")
    copy = tmp_path_factory.mktemp("source") / "collector"  # builds leave nothing in the checkout
    shutil.copytree(EXAMPLE, copy)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    command += ["--no-index", "--disable-pip-version-check", "--target", str(folder), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@contextmanager
def importable(folder: Path) -> Iterator[type]:
    """Load the class the way the edge does, and leave nothing behind."""
    (distribution,) = distributions(path=[str(folder)])
    (point,) = distribution.entry_points.select(group=ENTRY_POINT_GROUP)
    assert point.name == "tcp_ring"
    sys.path.insert(0, str(folder))
    try:
        yield point.load()
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("tcp_ring", None)


class Dock:
    """The ring's dock: sends `line` four times a second to whoever is connected."""

    def __init__(self) -> None:
        self.line = b"87,2.41\n"
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.met = 0

    async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met += 1
        self.writers.append(writer)
        try:
            while not writer.is_closing():
                writer.write(self.line)
                await writer.drain()
                await asyncio.sleep(0.25)
        except OSError:
            pass  # the edge hung up, as it does at its end
        finally:
            self.writers.remove(writer)
            writer.close()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@asynccontextmanager
async def dock() -> AsyncIterator[Dock]:
    one = Dock()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        one.hang_up()
        server.close()
        await server.wait_closed()


async def test_it_says_what_the_ring_says(installed):
    with importable(installed) as ring:
        async with dock() as there:
            collector = ring({"port": there.port})
            assert isinstance(collector, Collector)
            readings = collector.readings(SystemTime())
            assert await anext(readings) == Note(device="ring, battery 87 %")
            assert await anext(readings) == Link(Channel.MODULES, "ok")
            reading = await anext(readings)
            assert isinstance(reading, Reading)
            assert (reading.signal, reading.value) == ("eda_us", 2.41)
            there.line = b"87,0.0\n"
            seen = [await anext(readings) for _ in range(5)]
            assert Link(Channel.MODULES, Absence.NOT_WORN) in seen
            await readings.aclose()
            await wait_until_async(lambda: not there.writers)  # the device is let go at once
            lost = collector.readings(SystemTime())
            await anext(lost)
            there.hang_up()
            with pytest.raises(DeviceError, match=r"hung up|failed"):
                await drain(lost)


async def drain(readings: AsyncIterator[object]) -> None:
    async for _ in readings:
        pass


@pytest.mark.parametrize("line", [b"", b"garbage", b"87", b"87,nan", b"inf,2.41", b"87,2.41,1"])
def test_a_line_that_says_nothing_is_skipped(installed, line):
    with importable(installed):
        parse = importlib.import_module("tcp_ring").parse
        assert parse(line) == (None, None)
        assert parse(b"87,2.41\r\n") == (87.0, 2.41)


async def test_a_dock_that_is_off_is_a_device_error(installed):
    with importable(installed) as ring:
        readings = ring({"port": free_port()}).readings(SystemTime())
        with pytest.raises(DeviceError, match="is its dock on"):
            await anext(readings)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"prot": 1}, "unknown option 'prot'; known: host, port", id="unknown"),
        pytest.param({"port": 0}, "port is 0; expected 1 to 65535", id="range"),
        pytest.param({"port": "x"}, "port is 'x'", id="type"),
    ],
)
def test_wrong_options_are_refused_in_one_line(installed, options, said):
    with importable(installed) as ring, pytest.raises(ConfigurationError, match=said):
        ring(options)


def start_edge(installed: Path, port: int, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "wellbeing", "edge", "--agent", "k7"]
    command += ["--collector", "tcp_ring", "--option", f"tcp_ring.port={port}"]
    command += ["--consent", "modules", "--broker", f"127.0.0.1:{free_port()}"]
    command += ["--state-dir", str(folder / "state"), "--record", str(folder / "ring.csv")]
    paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    with (folder / "edge.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stderr=log,
        )


async def test_a_real_edge_takes_it_to_windows(installed, tmp_path):
    """From the installed package to a recording of the edge's windows, through a lost dock."""
    path = tmp_path / "ring.csv"
    async with dock() as there:
        edge = start_edge(installed, there.port, tmp_path)
        try:
            await wait_until_async(lambda: there.met >= 1)
            there.hang_up()
            await wait_until_async(lambda: there.met >= 2)  # it came back by itself
            await wait_until_async(lambda: "eda_us" in path.read_text())
        finally:
            edge.send_signal(signal.SIGINT)
            code = await asyncio.to_thread(edge.wait, 60)
    said = (tmp_path / "edge.log").read_text()
    assert code == 0, said
    assert "collector tcp_ring: the ring at" in said
    assert read_recording(path).series["eda_us"].values.tolist()[0] == 2.41
