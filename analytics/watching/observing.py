"""`/metrics`, `/health` and `/ready` over HTTP, on threads of their own.

No access control and no encryption: it listens on the loopback address unless
the operator says otherwise, and tells nothing about a person.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from analytics.watching.figures import Figures
from analytics.watching.health import judge
from analytics.watching.metrics import registry
from sensors import codec
from sensors.errors import ConfigurationError

_REQUEST_S = 10.0

_Start = Callable[[str, list[tuple[str, str]]], Any]
_App = Callable[[dict[str, Any], _Start], Iterable[bytes]]


def application(newest: Callable[[], Figures | None]) -> _App:
    """Return the WSGI application that answers from what `newest` returns."""
    metrics: _App = make_wsgi_app(registry(newest))

    def answer(environ: dict[str, Any], start: _Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start)
        if path not in {"/health", "/ready"}:
            start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"/metrics, /health or /ready\n"]
        health = judge(newest(), time.monotonic())
        well = health.live if path == "/health" else health.ready
        start(
            "200 OK" if well else "503 Service Unavailable", [("Content-Type", "application/json")]
        )
        return [codec.dump_json(health) + b"\n"]

    return answer


class _Handler(WSGIRequestHandler):
    """Logs nothing, and waits for nobody for long."""

    timeout = _REQUEST_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing: a scrape every few seconds is no news."""


class _Server(ThreadingWSGIServer):
    """Answers every request on a thread that ends with the process."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked went away before the answer."""


@contextmanager
def observed(host: str, port: int, newest: Callable[[], Figures | None]) -> Iterator[None]:
    """Answer on `host` and `port` while the block lasts.

    Raises
    ------
    ConfigurationError
        If nobody can listen there.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        kind = type("Server", (_Server,), {"address_family": family})
        server: WSGIServer = make_server(host, port, application(newest), kind, _Handler)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"[server] metrics_host {host!r}, metrics_port {port}: {why};"
            " choose an address of this machine and a port that is free"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
