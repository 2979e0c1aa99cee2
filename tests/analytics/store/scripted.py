"""A server that answers from a script, for versions that no package here brings."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from analytics.store.findings import Finding, Level
from analytics.store.influx import InfluxStore
from analytics.store.settings import StoreSettings

Answer = tuple[int, str] | tuple[int, str, dict[str, str]]


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: str
    authorization: str

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return {key: values[0] for key, values in parse_qs(self.body).items()}

    @property
    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Scripted:
    """What it notes and what it answers: by ``"POST /path"`` or by ``"/path"``, else 204."""

    url: str = ""
    version: str = "v2.7.6"
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def requests(self, path: str, method: str = "") -> list[Asked]:
        """Return the requests to `path`, in order."""
        return [a for a in self.asked if a.path == path and method in {"", a.method}]

    def sent(self, path: str = "/api/v2/write") -> list[int]:
        """Return how many lines each request to `path` carried."""
        return [a.body.count("\n") + 1 for a in self.requests(path)]

    def next_answer(self, method: str, path: str) -> tuple[int, str, dict[str, str]]:
        """Return what is planned, the last plan for ever after if it is marked by ``...``."""
        for key in (f"{method} {path}", path):
            planned = self.answers.get(key)
            if planned:
                last_for_ever = planned[-1] is ... and len(planned) == 2
                status, text, *headers = planned[0] if last_for_ever else planned.pop(0)
                return status, text, headers[0] if headers else {}
        return 204, "", {}


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self):
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            authorization = self.headers.get("Authorization", "")
            script.asked.append(
                Asked(self.command, parts.path, query, body.decode(), authorization)
            )
            status, text, headers = script.next_answer(self.command, parts.path)
            self.send_response_only(status)
            common = {"Date": self.date_time_string(), "x-influxdb-version": script.version}
            for name, value in {**common, **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, *arguments):
            pass

    return Handler


@contextmanager
def scripted(**options) -> Iterator[Scripted]:
    """Run a scripted server."""
    script = Scripted(**options)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(script)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def store_at(script: Scripted, **options) -> Iterator[InfluxStore]:
    """Open a store there, with a token and an organization unless `options` say otherwise."""
    given = {"token": "secret", "org": "floor"} | options
    store = InfluxStore(StoreSettings(kind="influxdb", url=script.url, **given))
    try:
        yield store
    finally:
        store.close()


def findings(store: InfluxStore, now: datetime | None = None) -> dict[str, Finding]:
    """Return what a check of the store finds, by what was looked at."""
    return {found.what: found for found in store.findings(now or datetime.now(UTC))}


def wrong(store: InfluxStore) -> dict[str, Finding]:
    """Return what must be mended."""
    return {what: f for what, f in findings(store).items() if f.level is Level.WRONG}
