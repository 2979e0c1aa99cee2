"""The connection to an InfluxDB server: the only importer of influxdb-client.

It sends and receives; what the answers mean is decided elsewhere. A server
that does not answer becomes one line that names it.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from analytics.store.settings import StoreSettings
from sensors.errors import ConfigurationError, StoreError, StoreUnreachableError
from sensors.mqtt import LOOPBACK

CHUNK = 10_000
"""Rows in one piece of an answer."""

_LINES = "text/plain; charset=utf-8"

# What the server's clock can tell: 64 bits of nanoseconds less its own two markers.
_FIRST, _LAST = "1677-09-21T00:12:43.145224194Z", "2262-04-11T23:47:16.854775806Z"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered; `status` 0 stands for a failed TLS handshake."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300


class Connection:
    """One server, over influxdb-client's pool of connections.

    Parameters
    ----------
    settings : StoreSettings
    compress : bool or None
        Compress what is sent; ``None`` does so unless the server is on this
        machine, where it only costs time.
    """

    def __init__(self, settings: StoreSettings, *, compress: bool | None = None) -> None:
        if settings.ca_file and not Path(settings.ca_file).is_file():
            raise ConfigurationError(f"[store] ca_file is {settings.ca_file!r}; no such file")
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._compress = urlsplit(self._url).hostname not in LOOPBACK
        if compress is not None:
            self._compress = compress
        # Any: the client has annotations, but not on what is used here.
        self._client: Any = InfluxDBClient(
            self._url,
            token=settings.token,
            org=settings.org,
            timeout=int(settings.timeout_s * 1000),
            ssl_ca_cert=settings.ca_file or None,
        )

    def _headers(self) -> dict[str, str]:
        if self._settings.token:
            return {"Authorization": f"Token {self._settings.token}"}
        if self._settings.username:
            pair = f"{self._settings.username}:{self._settings.password}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}

    def _unreachable(self, error: Exception) -> StoreError:
        what = f"cannot be reached ({type(error).__name__})"
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
            what = f"did not answer within {self._settings.timeout_s:g} s"
        return StoreUnreachableError(
            f"InfluxDB at {self._url} {what}; is it running, and is [store] url right?"
        )

    def _call(self, call: Any, *arguments: Any, **options: Any) -> Any:
        """Call the client; return its response, or a Reply if the server said no."""
        try:
            return call(*arguments, **options)
        except ApiException as error:
            headers: Mapping[str, str] = error.headers or {}
            return Reply(int(error.status or 0), str(error.body or error.reason or ""), headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from None

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        anonymous: bool = False,
        **options: Any,
    ) -> Reply:
        """Send one request and return the answer, whatever it is.

        Parameters
        ----------
        anonymous : bool
            Do not say who asks.

        Raises
        ------
        StoreError
            If there is no answer.
        """
        given = dict(headers or {"Content-Type": _LINES})
        if not anonymous:
            given |= self._headers()
        rest = self._client.api_client.rest_client
        found = self._call(rest.request, method, self._url + path, headers=given, **options)
        if isinstance(found, Reply):
            return found
        return Reply(found.status, found.data, found.getheaders())

    def call_json(
        self, method: str, path: str, query: Mapping[str, str], payload: object = None
    ) -> Reply:
        """Send one request with a body of JSON and return the answer, whatever it is."""
        target = f"{path}?{urlencode(query)}" if query else path
        return self.request(method, target, {"Content-Type": "application/json"}, body=payload)

    def query(self, statement: str, database: str, policy: str = "") -> Reply:
        """Send one InfluxQL statement."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        # In the body, since a list of agents can be longer than an address may be.
        fields = _form(statement, database, policy)
        return self.request("POST", "/query", headers=form, post_params=fields)

    def stream(self, statement: str, database: str, policy: str) -> Iterator[str]:
        """Send one InfluxQL statement and yield the answer line by line.

        Raises
        ------
        StoreError
            If there is no answer, or it breaks off.
        """
        form = {"Content-Type": "application/x-www-form-urlencoded"} | self._headers()
        rest = self._client.api_client.rest_client
        response = self._call(
            rest.request,
            "POST",
            f"{self._url}/query",
            headers=form,
            post_params=_form(statement, database, policy),
            _preload_content=False,
        )
        if isinstance(response, Reply):
            yield response.body
            return
        try:
            for line in response:
                yield line.decode()
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from None
        finally:
            response.release_conn()

    def write_1(self, lines: bytes, database: str, policy: str) -> Reply:
        """Write lines through ``/write`` of version 1."""
        return self._write("/write", {"db": database, "rp": policy}, lines)

    def write_2(self, lines: bytes, bucket: str) -> Reply:
        """Write lines through ``/api/v2/write``.

        Not by influxdb-client's own call, which compresses as hard as it can: a body a
        tenth smaller for several times the work of all else that a point costs us.
        """
        return self._write("/api/v2/write", {"org": self._settings.org, "bucket": bucket}, lines)

    def _write(self, path: str, query: Mapping[str, str], lines: bytes) -> Reply:
        headers, body = {"Content-Type": _LINES}, lines
        if self._compress:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        target = urlencode({**query, "precision": "ns"})
        return self.request("POST", f"{path}?{target}", headers=headers, body=body)

    def delete_2(self, predicate: str, bucket: str, before_ns: int | None = None) -> Reply:
        """Delete points of all times, or before one, through ``/api/v2/delete``.

        Not by influxdb-client's own call, which cuts times to the microsecond: the server
        deletes the end too, so it must lie one nanosecond before.
        """
        query = {"bucket": bucket, "org": self._settings.org}
        stop = _LAST if before_ns is None else _stated(before_ns - 1)
        payload = {"start": _FIRST, "stop": stop, "predicate": predicate}
        return self.call_json("POST", "/api/v2/delete", query, payload)

    def close(self) -> None:
        """Release the connections."""
        self._client.close()


def _stated(time_ns: int) -> str:
    seconds, rest_ns = divmod(time_ns, 10**9)
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def _form(statement: str, database: str, policy: str) -> dict[str, str]:
    fields = {
        "q": statement,
        "db": database,
        "rp": policy,
        "epoch": "ns",
        "chunked": "true",
        "chunk_size": str(CHUNK),
    }
    return {key: value for key, value in fields.items() if value}
