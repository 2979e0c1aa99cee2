"""Who is let in: this machine, under this machine's names, with this start's token. Pure.

Other people may share the machine (a terminal server has one loopback address
for all of them) and any web site may make the agent's browser speak to it. So
the address carries a token that only the agent's files and browser know, a
foreign name for this machine is refused (DNS rebinding), and a form counts
only when it comes from this very page. There is no cookie: a browser would
send it to every other port of this machine as well.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from secrets import token_urlsafe

NAMES = ("127.0.0.1", "localhost")

CODE_LASTS_S = 120.0
"""How long the address handed to a browser opens the page. [s] A slow desktop's browser start."""

_CODES = 16
"""Addresses that wait to be opened; who asks for more loses the oldest."""

HEADERS: dict[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not no-referrer: browsers then call a form's origin "null", and it could not be checked.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer: nothing kept, nothing from elsewhere, nothing embedded."""


class Gate:
    """The token of one start, and the codes that lead to it once each.

    Parameters
    ----------
    port : int
        Where the page is served.
    token : str
        Left out except in tests.
    """

    def __init__(self, port: int, token: str = "") -> None:
        self._port = port
        self._token = token or token_urlsafe(24)
        self._codes: dict[str, float] = {}

    @property
    def home(self) -> str:
        """The path of the page, with the token."""
        return f"/{self._token}/"

    def one_time_address(self, now_s: float) -> str:
        """Return an address that opens the page once, soon; `now_s` on the monotonic clock.

        A browser is started with its address in the list of processes, which
        everybody on the machine can read; this one is worth nothing once used.
        """
        code = token_urlsafe(24)
        self._codes[code] = now_s + CODE_LASTS_S
        while len(self._codes) > _CODES:
            del self._codes[next(iter(self._codes))]
        return f"http://{NAMES[0]}:{self._port}/open/{code}"

    def redeem(self, code: str, now_s: float) -> bool:
        """Return whether `code` opens the page; it never does again."""
        given = (
            code.encode()
        )  # a stranger's may hold any letter, and text is compared in ASCII only
        found = next((c for c in self._codes if hmac.compare_digest(c.encode(), given)), None)
        return found is not None and self._codes.pop(found) >= now_s

    def knows_name(self, headers: Mapping[str, str]) -> bool:
        """Return whether the browser called this machine by a name of its own."""
        return headers.get("host", "") in {f"{name}:{self._port}" for name in NAMES}

    def knows_token(self, token: str) -> bool:
        """Return whether `token` is this start's."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def is_own_form(self, headers: Mapping[str, str]) -> bool:
        """Return whether a form was sent by this page and no other."""
        same_origin = headers.get("origin", "") == f"http://{headers.get('host', '')}"
        return same_origin and headers.get("sec-fetch-site", "same-origin") == "same-origin"
