"""How the server says things: lines for people, or one JSON object a line for a collector of logs.

No line is about a person (TRUST T5). What a bug's error says could be, since
it may quote what was measured: of an error only its kind and its place in the
program are told.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, TextIO

from sensors import codec

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LogFormat(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


class QuietFormatter(logging.Formatter):
    """Tells of an error its kind and its places, never its own words."""

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """Return where it happened and of what kind it is."""
        kind, _, places = ei
        lines = traceback.format_tb(places)
        return "".join([*lines, kind.__name__ if kind is not None else ""]).rstrip()


class JsonFormatter(QuietFormatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``site``, ``text`` and ``trace``."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = site

    def format(self, record: logging.LogRecord) -> str:
        """Return `record` as one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "site": self._site,
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
def talking(how: LogFormat, site: str, stream: TextIO) -> Iterator[None]:
    """Send what the server says to `stream` while the block lasts."""
    handler = _Handler(stream)
    text = QuietFormatter("%(asctime)s %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonFormatter(site) if how is LogFormat.JSON else text)
    logger = logging.getLogger("wellbeing")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
