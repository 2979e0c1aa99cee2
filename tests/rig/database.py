"""Real time-series databases."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.rig.process import Server, answers_http, free_port

_INFLUXD = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  index-version = "tsi1"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
{http}
"""


class Influxd(Server):
    """InfluxDB 1.x: ``/write`` and InfluxQL on ``/query``; what it keeps survives restarts."""

    program = "influxd"

    def __init__(self, directory: Path, *, http_lines: str = "") -> None:
        super().__init__(directory)
        self._rpc = free_port()
        self._http_lines = http_lines

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Write the configuration and return the arguments."""
        config = self.directory / "influxdb.conf"
        config.write_text(
            _INFLUXD.format(
                rpc=self._rpc, directory=self.directory, port=self.port, http=self._http_lines
            )
        )
        return ["-config", str(config)]

    def is_ready(self) -> bool:
        """Return whether it answers a ping."""
        return answers_http(self.port, "/ping")

    def query(self, influxql: str, database: str = "") -> list[dict[str, Any]]:
        """Return the series of one InfluxQL statement, past our own code (epoch in ns)."""
        arguments = urlencode({"q": influxql, "db": database, "epoch": "ns"})
        answer = json.loads(request(self.port, "POST", f"/query?{arguments}"))
        assert "error" not in answer, answer["error"]
        result = answer["results"][0]
        assert "error" not in result, result["error"]
        series: list[dict[str, Any]] = result.get("series", [])
        return series


class VictoriaMetrics(Server):
    """A real server that takes InfluxDB 2.x's ``/api/v2/write`` unchanged."""

    program = "victoria-metrics"

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Return the arguments."""
        return [
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.directory}/data",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-memory.allowedBytes=256MB",
            "-loggerLevel=WARN",
        ]

    def is_ready(self) -> bool:
        """Return whether it says it is healthy."""
        return answers_http(self.port, "/health")

    def export(self, match: str) -> list[dict[str, Any]]:
        """Return every series matching the selector, such as ``{__name__=~".+"}``."""
        request(self.port, "GET", "/internal/force_flush")
        text = request(self.port, "GET", "/api/v1/export?" + urlencode({"match[]": match}))
        return [json.loads(line) for line in text.splitlines()]


def request(port: int, method: str, path: str) -> str:
    """Return the body of one HTTP answer from the loopback address."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status < 300, f"{method} {path}: {answer.status} {body[:500]}"
        return body
    finally:
        connection.close()
