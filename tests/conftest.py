"""Fixtures for everybody: real servers, a browser, a display; and the count of what is missing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.rig import Influxd, Mosquitto, Nats, VictoriaMetrics, needs
from tests.rig.display import Display, chromium_page, virtual_display

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from analytics.store.settings import StoreSettings
    from tests.rig.influx import Breakable

# A busy machine fails no test: one example may take as long as it takes, and making it, too.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run: one that nobody has seen yet is looked for by whoever has the
# time, with --hypothesis-profile=curious, and fails no run of somebody else.
settings.register_profile("same", PATIENT, derandomize=True)
settings.register_profile("curious", PATIENT)
settings.load_profile("same")

# No test, nor a program it starts, may put a key into the keyring of who runs it.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"

# Programs speak the language of who runs them; tests read English.
os.environ["LC_ALL"] = "C.UTF-8"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits longest: at the end one process would wait for it, the others idle."""
    waits = Path(__file__).parent / "trust"
    items.sort(key=lambda item: not item.path.is_relative_to(waits))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose programs are missing, before any fixture runs."""
    needs.require(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add what the page said to the report of a failed browser test: a rare failure is seen once.

    Written in the words of the page, so that the log of a machine nobody can reach tells it.
    """
    report = yield
    page = getattr(item, "funcargs", {}).get("chromium")
    if report.when == "call" and report.failed and page is not None and not page.is_closed():
        report.sections.append(("the page said", _words_of(page)))
    return report


def _words_of(page: "Page") -> str:
    from playwright.sync_api import Error  # noqa: PLC0415 - most tests do without it

    try:
        return page.locator("body").inner_text(timeout=5_000)
    except Error as error:  # a page that hangs: raised from here it would end the whole run
        return f"(nothing: {error})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show how many tests could not run."""
    needs.report(terminalreporter)


@pytest.fixture
def mosquitto_factory(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Return a function that starts a Mosquitto with `passwords`, `acl`, `extra` lines."""
    started: list[Mosquitto] = []

    def start(**options: Any) -> Mosquitto:
        broker = Mosquitto(tmp_path / f"mosquitto-{len(started)}", **options)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture
def mosquitto(mosquitto_factory: Callable[..., Mosquitto]) -> Mosquitto:
    """Return a running Mosquitto that lets anybody in and keeps its state across restarts."""
    return mosquitto_factory()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    """Return a running NATS server with JetStream and MQTT."""
    server = Nats(tmp_path / "nats")
    yield from _running(server)


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    """Return a running, empty InfluxDB 1.x."""
    yield from _running(Influxd(tmp_path / "influxd"))


@pytest.fixture
def any_influx(tmp_path: Path) -> Iterator["StoreSettings"]:
    """Return settings for empty databases on the server given (`tests.rig.influx`), else a real 1.x."""
    from tests.rig import influx  # noqa: PLC0415 - most tests do without it

    with influx.own_databases(tmp_path / "influxd") as settings:
        yield settings


@pytest.fixture
def breakable_influx(tmp_path: Path) -> Iterator["Breakable"]:
    """Return empty databases on such a server that can be away for a while."""
    from tests.rig import influx  # noqa: PLC0415 - most tests do without it

    with influx.breakable(tmp_path / "influxd") as databases:
        yield databases


@pytest.fixture
def victoria_metrics(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    """Return a running, empty VictoriaMetrics (InfluxDB 2.x write call)."""
    yield from _running(VictoriaMetrics(tmp_path / "victoria-metrics"))


@pytest.fixture
def xvfb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Display]:
    """Return a virtual display; DISPLAY points to it while the test runs."""
    with virtual_display() as display:
        monkeypatch.setenv("DISPLAY", display.name)
        yield display


@pytest.fixture
def chromium() -> Iterator["Page"]:
    """Return a blank page in a real headless Chromium (for plain, not async, tests)."""
    with chromium_page() as page:
        yield page


def _running(server: Any) -> Iterator[Any]:
    try:
        server.start()
        yield server
    finally:
        server.stop()
