"""Serving the page on the loopback address: the one importer of uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sensors.edge.page.app import Desk, create_app
from sensors.edge.page.gate import NAMES, Gate

STOP_WITHIN_S = 2
"""How long answers under way may take when the edge ends. [s]"""

_CONNECTIONS = 32
"""One person's browser holds six; the rest is room, and a bound."""


class _Connection(H11Protocol):
    """One connection. Anybody on the machine may open some: the oldest idle ones make room.

    uvicorn's own limit refuses whoever comes last, which would be the agent,
    and counts none that asks for nothing.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.began_s = self.loop.time()
        others = [c for c in self.connections if isinstance(c, _Connection) and c is not self]
        idle = sorted((c for c in others if c.is_idle), key=lambda c: c.began_s)
        for oldest in idle[: max(0, len(self.connections) - _CONNECTIONS + 1)]:
            self.connections.discard(oldest)
            oldest.transport.abort()

    @property
    def is_idle(self) -> bool:
        """Whether no answer is under way."""
        return self.cycle is None or self.cycle.response_complete


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # Ctrl-C and SIGTERM are the edge's to handle

    async def main_loop(self) -> None:
        # uvicorn's own looks ten times a second whether to end: half of what an idle edge costs.
        await self.on_tick(0)  # makes the headers that every answer carries
        await self.ended.wait()


class PageServer:
    """The page's listening socket and what answers on it.

    Parameters
    ----------
    desk : Desk

    Raises
    ------
    OSError
        If there is no loopback address to listen on.
    """

    def __init__(self, desk: Desk) -> None:
        self._socket = socket.create_server((NAMES[0], 0), backlog=_CONNECTIONS)
        self.gate = Gate(self._socket.getsockname()[1])
        config = uvicorn.Config(
            create_app(desk, self.gate),
            http=_Connection,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            date_header=False,  # would be that of the start
            # Addresses hold the token, so nothing of a request is ever logged.
            access_log=False,
            log_config=None,
            log_level="critical",
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )
        self._server = _Server(config)

    async def run(self) -> None:
        """Answer until cancelled."""
        serving = asyncio.create_task(self._server.serve([self._socket]))
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            self._server.ended.set()
            await serving
            self._socket.close()
