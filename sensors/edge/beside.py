"""Which companions run beside an edge: the one place that puts them together."""

from __future__ import annotations

from pathlib import Path

from sensors.desk.beside import desk_companions
from sensors.edge.cipher import Cipher
from sensors.edge.companion import Companion
from sensors.edge.own import OwnKeeper, OwnRecord
from sensors.edge.page.companion import AgentPage
from sensors.edge.recorder import Recorder
from sensors.edge.settings import EdgeSettings


def companions(
    settings: EdgeSettings, cipher: Cipher, record_to: Path | None = None
) -> list[Companion]:
    """Return what `settings` ask for, in the order in which they are told things.

    Raises
    ------
    ConfigurationError
        If there can be no new recording at `record_to`.
    """
    found: list[Companion] = []
    # Only the page shows it; but what a page once began must not outlive its month.
    if settings.page or settings.own_path.exists():
        record = OwnRecord(settings.own_path, cipher)
        found.append(OwnKeeper(record))
    if settings.page:
        found.append(
            AgentPage(
                settings.page_path,
                record,
                language=settings.language,
                is_private=settings.private,
            )
        )
    if record_to is not None:
        found.append(Recorder(record_to))
    return found + desk_companions(settings)
