"""Which companions run beside an edge: the one place that puts them together."""

from __future__ import annotations

from sensors.desk.beside import desk_companions
from sensors.edge.cipher import Cipher
from sensors.edge.companion import Companion
from sensors.edge.own import OwnKeeper, OwnRecord
from sensors.edge.page.companion import AgentPage
from sensors.edge.settings import EdgeSettings


def companions(settings: EdgeSettings, cipher: Cipher) -> list[Companion]:
    """Return what `settings` ask for, in the order in which they are told things."""
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
    return found + desk_companions(settings)
