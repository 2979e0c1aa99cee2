"""How another terminal speaks to a running edge: loopback TCP and a token.

The running edge writes port and token into a file that only its owner can
read; whoever can read that file may pause it. One JSON line each way.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from sensors import codec
from sensors.errors import StateError
from sensors.spoken import say

_TIMEOUT_S = 10.0
_ANSWER_S = 8.0  # whoever asks waits a little longer
_LINE_BYTES = 4096
_CALLERS = 32
"""Anybody on this machine may call; of those who say nothing the oldest make room."""

Handler = Callable[[str, tuple[str, ...]], Awaitable[dict[str, Any]]]
"""Given a command and its words, returns the answer: ``text``, and more for --json."""


@dataclass(frozen=True, slots=True)
class _Address:
    port: int
    token: str
    pid: int


@dataclass(frozen=True, slots=True)
class _Request:
    token: str
    command: str
    words: tuple[str, ...] = ()


class ControlServer:
    """The running edge's end.

    Parameters
    ----------
    path : Path
        The file that says where and with which token to speak.
    handler : callable
    """

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._token = token_hex(32)
        self._server: asyncio.Server | None = None
        self._silent: dict[asyncio.StreamWriter, None] = {}
        self._doing: set[asyncio.Future[dict[str, Any]]] = set()

    async def start(self) -> None:
        """Listen on a free loopback port and say which."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LINE_BYTES)
        port = self._server.sockets[0].getsockname()[1]
        self._path.unlink(missing_ok=True)
        handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(codec.dump_json(_Address(port, self._token, os.getpid())))

    async def stop(self) -> None:
        """Stop listening and take the file away; end what is not done yet."""
        self._path.unlink(missing_ok=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for doing in self._doing:
            doing.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._silent[writer] = None
        if len(self._silent) > _CALLERS:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            oldest.transport.abort()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                line = await reader.readline()
                self._silent.pop(writer, None)
                writer.write(codec.dump_json(await self._answer(line)) + b"\n")
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            pass  # the caller went away or sent no line; nothing was done
        finally:
            self._silent.pop(writer, None)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = codec.convert(codec.load_json(line), _Request)
        except ValueError:
            return {"error": "not a command"}
        if not hmac.compare_digest(request.token, self._token):
            return {"error": "wrong token"}
        doing = asyncio.ensure_future(self._handler(request.command, request.words))
        self._doing.add(doing)
        doing.add_done_callback(self._is_done)
        # It goes on: who gave the word may be gone, and erasing must not end half way.
        done, _ = await asyncio.wait({doing}, timeout=_ANSWER_S)
        if not done:
            return {"error": say("not done yet: the disk does not answer")}
        try:
            return doing.result()
        except (ValueError, OSError, RuntimeError) as error:
            return {"error": str(error)}

    def _is_done(self, doing: asyncio.Future[dict[str, Any]]) -> None:
        self._doing.discard(doing)
        if not doing.cancelled():
            doing.exception()  # heard: whoever waited was told that it is not done


def ask(path: Path, command: str, words: tuple[str, ...] = ()) -> dict[str, Any] | None:
    """Return the running edge's answer, or ``None`` when no edge runs there.

    Raises
    ------
    StateError
        If it runs but cannot do it, or does not answer.
    """
    try:
        address = codec.convert(codec.load_json(path.read_bytes()), _Address)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise StateError(f"cannot read {path}; stop the edge and remove the file") from None
    request = codec.dump_json(_Request(address.token, command, words)) + b"\n"
    try:
        with socket.create_connection(("127.0.0.1", address.port), timeout=_TIMEOUT_S) as link:
            link.sendall(request)
            with link.makefile("rb") as file:
                line = file.readline()
    except ConnectionRefusedError:
        return None  # it ended without taking its file away
    except OSError as error:
        raise StateError(f"the edge (process {address.pid}) does not answer: {error}") from None
    try:
        answer: dict[str, Any] = codec.convert(codec.load_json(line), dict)
    except ValueError:
        return None  # another program has the port by now
    if "error" in answer:
        raise StateError(f"the edge (process {address.pid}) says: {answer['error']}")
    return answer
