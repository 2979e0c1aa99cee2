"""The store that ``[store]`` of the configuration describes, opened."""

from __future__ import annotations

from analytics.store.base import Store
from analytics.store.settings import StoreSettings


def open_store(settings: StoreSettings, *, read_only: bool = False) -> Store:
    """Return the store that `settings` describe.

    Parameters
    ----------
    settings : StoreSettings
    read_only : bool
        For processes that only look; an embedded store must then exist.

    Raises
    ------
    StoreError
        If an embedded file cannot be opened. An InfluxDB server is first
        contacted when it is used.
    StateError
        If the file was written by a newer version.
    MissingExtraError
        If influxdb-client is needed and not installed.
    """
    if settings.kind == "embedded":
        from analytics.store.embedded import EmbeddedStore  # noqa: PLC0415 - only what is used

        return EmbeddedStore(
            settings.file(),
            read_only=read_only,
            raw_days=settings.raw_days,
            derived_days=settings.derived_days,
        )
    from analytics.store.influx import InfluxStore  # noqa: PLC0415 - a heavy client, only if used

    return InfluxStore(settings)
