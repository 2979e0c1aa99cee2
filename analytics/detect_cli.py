"""`wellbeing detect`: the server of one site, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Annotated, Any, TextIO

import typer

from analytics.alerting import AlertPolicy
from analytics.pipeline import Pipeline
from analytics.rights_files import tombstones_beside
from analytics.service import Service
from analytics.service_options import ServiceOptions
from analytics.settings import ServerSettings, may_erase_on_request, require_tls
from analytics.store.base import Store
from analytics.store.settings import StoreSettings, open_store
from analytics.subscriber import Subscriber
from analytics.teams import load_teams
from sensors import codec
from sensors.command_line import (
    BrokerOption,
    ConfigOption,
    SiteOption,
    broker_settings,
    plain_app,
    read_tables,
)
from sensors.config import BrokerSettings, section
from sensors.policy import PolicySettings

app = plain_app()

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
    as_json: Annotated[bool, typer.Option("--json", help="Say things as JSON lines.")] = False,
) -> None:
    """Receive, keep, score and alert for one site.

    Every value can also stand in the configuration file or the environment
    (WELLBEING_SERVER_SITE, WELLBEING_BROKER_PASSWORD, ...).
    """
    tables = read_tables(config)
    settings = section(
        tables, "server", ServerSettings, site=site, teams=teams, state_dir=state_dir
    )
    where = broker_settings(tables, broker)
    store_settings = section(
        tables, "store", StoreSettings, kind=store, path=store_path, url=store_url
    )
    policy = section(tables, "policy", PolicySettings, profile=profile)
    require_tls(where)
    policy.require_server()
    with _talking(as_json=as_json), _stop_on_signal() as stop:
        service = build(settings, where, store_settings, policy)
        _log.info("%s", policy.explain())
        _log.info("serving site %s from %s", settings.site, settings.directory())
        service.run(stop)
        _log.info("stopped; everything received is on disk")


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
        spool_bytes=settings.spool_mb * 1_000_000,
        forbidden=policy.forbidden,
        tombstones=tombstones_beside(store_settings),
        erase_on_request=may_erase_on_request(settings, broker),
    )

    def opened() -> Store:
        return open_store(store_settings)

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
        open_store=opened,
    )


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; a second one ends at once."""
    stop = threading.Event()
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


class _JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "text": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return codec.dump_json(line).decode()


class _Handler(logging.StreamHandler[TextIO]):
    """Goes on in silence when whoever read it is gone: the server must."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


@contextmanager
def _talking(*, as_json: bool) -> Iterator[None]:
    """Send what the service says to standard error (as JSON: to standard output)."""
    handler = _Handler(sys.stdout if as_json else sys.stderr)
    handler.setFormatter(
        _JsonFormatter() if as_json else logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    )
    logger = logging.getLogger("wellbeing")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
