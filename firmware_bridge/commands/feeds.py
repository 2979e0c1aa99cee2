"""The decoder that the options of a verb ask for."""

from __future__ import annotations

from firmware_bridge.bench.board_feed import BoardFeed
from firmware_bridge.bench.line_feed import LineFeed
from firmware_bridge.bench.watching import Feed
from firmware_bridge.printed.csv_lines import check_columns
from firmware_bridge.printed.raw_lines import check_rate
from sensors.errors import ConfigurationError


def feed_of(csv: str | None, rate_hz: float | None) -> Feed:
    """Return the decoder of a board: of lines where ``--csv`` is given, else of the protocol.

    Raises
    ------
    ConfigurationError
        If the columns or the rate cannot be those of a board, or do not go together.
    """
    columns = columns_of(csv, rate_hz)
    return BoardFeed() if columns is None else LineFeed(columns, rate_hz)


def columns_of(csv: str | None, rate_hz: float | None) -> tuple[str, ...] | None:
    """Return the columns of a board that prints lines; None for one that speaks the protocol.

    Raises
    ------
    ConfigurationError
        If the columns or the rate cannot be those of a board, or do not go together.
    """
    if csv is None:
        if rate_hz is not None:
            raise ConfigurationError("--rate goes with --csv; a board that speaks says its rates")
        return None
    if rate_hz is not None:
        check_rate(rate_hz, "--rate")
    return split_columns(csv)


def split_columns(csv: str) -> tuple[str, ...]:
    """Return the columns that ``--csv`` names.

    Raises
    ------
    ConfigurationError
        If they cannot be the columns of a board.
    """
    return check_columns([column.strip() for column in csv.split(",")], "--csv")
