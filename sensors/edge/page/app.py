"""The page's addresses: the one importer of Starlette. Who is let in is decided in `gate`."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sensors.edge.page import peer
from sensors.edge.page.gate import HEADERS, Gate
from sensors.errors import StateError
from sensors.words import N_, Words, language_for

FORM_BYTES = 4096
"""Longer than any form of the page."""

_FIELDS = 32
_FOLDER = Path(__file__).parent
_FILES = {"page.css": "text/css", "page.js": "text/javascript"}
_HINT = N_("This is the page of one agent. To open it: wellbeing edge page")
_USED = N_("This address was used already, or is too old. For a new one: wellbeing edge page")


class Desk(Protocol):
    """What the page shows and does, behind its addresses."""

    async def html(self, accept_language: str, said: str, *, is_whole: bool) -> str:
        """Return the page; `said` names what was said after a form."""

    async def do(self, form: dict[str, str], accept_language: str) -> str:
        """Do what a form asks for; return the name of what is said about it."""

    async def data(self) -> bytes:
        """Return what this machine keeps about the agent, as JSON."""

    def failed(self, error: Exception) -> None:
        """Take note of an error of this program; whoever looks gets one line."""


def create_app(desk: Desk, gate: Gate, now_s: Callable[[], float] = time.monotonic) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    desk : Desk
    gate : Gate
    now_s : callable
        The monotonic clock. [s]
    """

    async def show(request: Request) -> Response:
        said = request.query_params.get("said", "")
        is_whole = not request.url.path.endswith("/live")
        language = request.headers.get("accept-language", "")
        html = await desk.html(language, said, is_whole=is_whole)
        return Response(html, media_type="text/html")

    async def do(request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return PlainTextResponse("not a form of this page\n", 400)
        said = await desk.do(form, request.headers.get("accept-language", ""))
        # The page asks for the changed pieces only; without a script the whole page comes again.
        in_place = "x-in-place" in request.headers
        where = f"live?said={said}" if in_place else f"./?said={said}#said"
        return RedirectResponse(where, 303)

    async def file(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response((_FOLDER / name).read_text(encoding="utf-8"), media_type=_FILES[name])

    async def enter(request: Request) -> Response:
        if _is_somebody_elses(request):
            return PlainTextResponse("the page of somebody else on this machine\n", 403)
        if not gate.redeem(request.path_params["code"], now_s()):
            return _told(_USED, request.headers, 403)
        return RedirectResponse(gate.home, 303)

    async def fail(_request: Request, error: Exception) -> Response:
        desk.failed(error)
        return PlainTextResponse("the page could not be drawn; the edge goes on\n", 500)

    routes = [
        Route("/open/{code}", enter),
        Route("/{token}/", show),
        Route("/{token}/live", show),
        Route("/{token}/do", do, methods=["POST"]),
        Route("/{token}/data.json", _data(desk)),
        *(Route(f"/{{token}}/{name}", file) for name in _FILES),
    ]
    return _Guard(Starlette(routes=routes, exception_handlers={Exception: fail}), gate)


def _data(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    async def data(_request: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
        try:
            return Response(await desk.data(), media_type="application/json", headers=headers)
        except StateError as error:  # the disk's matter, no fault of the page
            return PlainTextResponse(f"{error}\n", 503)

    return data


def _is_somebody_elses(request: Request) -> bool:
    client, server = request.client, request.scope.get("server")
    if client is None or server is None or os.name != "posix":
        return False
    found = peer.owner((client.host, client.port), (server[0], server[1]))
    return found is not None and found != os.getuid()


def _told(text: str, headers: Headers, status: int) -> Response:
    """Return a line for the person who opened the address, in their browser's language."""
    said = Words(language_for(headers.get("accept-language"))).say(text)
    return PlainTextResponse(f"{said}\n", status)


async def _form(request: Request) -> dict[str, str] | None:
    """Return the fields of a form, ``None`` when it is none of ours."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return None
    return dict(pairs)


class _Guard:
    """Stands before every address: refuses strangers, and puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._gate.knows_name(headers):
            return PlainTextResponse("not a name of this machine\n", 421)
        first = scope["path"].removeprefix("/").partition("/")[0]  # not every path has a slash
        if first != "open" and not self._gate.knows_token(first):
            return _told(_HINT, headers, 404)
        if scope["method"] == "POST" and not self._gate.is_own_form(headers):
            return PlainTextResponse("a form from elsewhere is not taken\n", 403)
        return None
