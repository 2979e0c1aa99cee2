"""The server's clock, read at the rim and nowhere else."""

from datetime import UTC, datetime


def now_utc() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)
