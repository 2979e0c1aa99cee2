"""`wellbeing detect`: the server of one site, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Annotated, Any

import typer

from analytics.alerts.alerting import AlertPolicy
from analytics.people.teams import load_teams
from analytics.people.tombstone_files import tombstones_beside
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.service_options import ServiceOptions
from analytics.server.service import Service
from analytics.server.subscriber import Subscriber
from analytics.server_log import LogFormat, talking
from analytics.settings import ServerSettings, may_erase_on_request
from analytics.store.settings import StoreSettings
from analytics.writing.writer_process import WriterProcess
from sensors.command_line import (
    BrokerOption,
    ConfigOption,
    SiteOption,
    broker_settings,
    plain_app,
    read_tables,
)
from sensors.config import BrokerSettings, section
from sensors.interruption import Interruption
from sensors.mqtt import require_tls
from sensors.policy import PolicySettings

app = plain_app()

_OBJECTS_UNTIL_COLLECTED = 50_000

_log = logging.getLogger("wellbeing.detect")


@app.command()
def detect(  # noqa: PLR0917 - one per option
    config: ConfigOption = None,
    site: SiteOption = None,
    teams: Annotated[str | None, typer.Option(help="The teams.toml file.")] = None,
    state_dir: Annotated[str | None, typer.Option(help="Where to keep the state.")] = None,
    broker: BrokerOption = None,
    store: Annotated[str | None, typer.Option(help="embedded or influxdb.")] = None,
    store_path: Annotated[str | None, typer.Option(help="File of the embedded store.")] = None,
    store_url: Annotated[str | None, typer.Option(help="Address of InfluxDB.")] = None,
    profile: Annotated[str | None, typer.Option(help="general, cn or eu.")] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Answer /metrics, /health and /ready here.", show_default=False),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="Lines on standard error.")
    ] = LogFormat.TEXT,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines, and on standard output.")
    ] = False,
) -> None:
    """Receive, keep, score and alert for one site.

    Every value can also stand in the configuration file or the environment
    (WELLBEING_SERVER_SITE, WELLBEING_BROKER_PASSWORD, ...).
    """
    tables = read_tables(config)
    settings = section(
        tables,
        "server",
        ServerSettings,
        site=site,
        teams=teams,
        state_dir=state_dir,
        metrics_port=metrics_port,
    )
    where = broker_settings(tables, broker)
    store_settings = section(
        tables, "store", StoreSettings, kind=store, path=store_path, url=store_url
    )
    policy = section(tables, "policy", PolicySettings, profile=profile)
    require_tls(where)
    policy.require_server()
    how, stream = (LogFormat.JSON, sys.stdout) if as_json else (log_format, sys.stderr)
    # Points are thousands of small objects a second, none of them in a circle: looking for
    # circles as often as by default took an eighth of the server's time.
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTED, 20, 100)
    with talking(how, settings.site, stream), _stop_on_signal() as stop:
        service = build(settings, where, store_settings, policy)
        _log.info("%s", policy.explain())
        _log.info("serving site %s from %s", settings.site, settings.directory())
        with _observed(settings, service):
            service.run(stop)
        _log.info("stopped; everything received is on disk")


@contextmanager
def _observed(settings: ServerSettings, service: Service) -> Iterator[None]:
    """Answer who watches the server, if the operator wants that."""
    if not settings.metrics_port:
        yield
        return
    from analytics.watching.observing import observed  # noqa: PLC0415 - only what is used

    with observed(settings.metrics_host, settings.metrics_port, lambda: service.figures):
        yield


def build(
    settings: ServerSettings,
    broker: BrokerSettings,
    store_settings: StoreSettings,
    policy: PolicySettings,
) -> Service:
    """Return the service that the settings describe; `run` it with an event to stop it.

    Raises
    ------
    ConfigurationError
        If a setting or the teams file is not what was expected.
    StateError
        If the state cannot be opened or another server uses it.
    """
    teams = load_teams(settings.teams_file())
    options = ServiceOptions(
        site=settings.site,
        directory=settings.directory(),
        keep=timedelta(hours=settings.journal_hours),
        keep_rows=settings.journal_rows,
        forbidden=policy.forbidden,
        tombstones=tombstones_beside(store_settings),
        erase_on_request=may_erase_on_request(settings, broker),
        trust_clock=store_settings.trust_clock,
        smallest_group=policy.smallest_group,
        as_lines=store_settings.kind == "influxdb",
    )

    return Service(
        options,
        Subscriber(broker, settings.site),
        teams,
        Pipeline(
            settings.site,
            teams,
            AlertPolicy(
                alerts_per_supervisor_hour=policy.alerts_per_supervisor_hour,
                smallest_group=policy.smallest_group,
            ),
        ),
        writer=WriterProcess(settings.directory(), store_settings, settings.spool_mb * 1_000_000),
    )


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; a second one ends at once."""
    stop = Interruption()
    known: dict[int, Any] = {}

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, known[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        known[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for caught, handler in known.items():
            signal.signal(caught, handler)
