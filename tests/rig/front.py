"""A front before a real server that is slow, refuses or lies, as a proxy or a full disk would."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Front:
    """What the front does to requests whose path starts with one of `paths`.

    Parameters
    ----------
    refusal : tuple or None
        Status, headers and body to answer with instead of asking the server.
    marked : bytes
        Refuse only what has this in its body; empty: all.
    bytes_per_s : float
        How fast a body gets through; 0 is unhindered.
    """

    url: str = ""
    paths: tuple[str, ...] = ("/write", "/api/v2/write")
    refusal: tuple[int, dict[str, str], str] | None = None
    marked: bytes = b""
    bytes_per_s: float = 0.0
    refused: int = 0
    passed: int = 0
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begins(self) -> None:
        """Count a body that is on its way."""
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def ends(self) -> None:
        """Count it no more."""
        with self.lock:
            self.at_once -= 1


def _handler(front: Front, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_ours = self.path.startswith(front.paths)
            if is_ours:
                front.times.append(time.monotonic())
            if is_ours and front.refusal is not None and front.marked in body:
                front.refused += 1
                self._say(front.refusal[0], front.refusal[1], front.refusal[2].encode())
                return
            if is_ours and front.bytes_per_s:
                front.begins()
                time.sleep(len(body) / front.bytes_per_s)
                front.ends()
            front.passed += is_ours
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                kept = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                connection.request(self.command, self.path, body, kept)
                answer = connection.getresponse()
                self._say(answer.status, dict(answer.getheaders()), answer.read())
            except OSError:
                self._say(502, {}, b"nobody there")
            finally:
                connection.close()

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _pass  # noqa: N815 - http.server's names

        def log_message(self, *arguments: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # who asked has lost patience, as intended
                self.close_connection = True

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def front_of(port: int) -> Iterator[Front]:
    """Run a front before the server on `port` of the loopback address."""
    front = Front()
    with _Server(("127.0.0.1", 0), _handler(front, port)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        front.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()
