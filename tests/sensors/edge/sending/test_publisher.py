"""Between outbox and broker: what a connection that goes at the wrong moment does."""

from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path

import pytest

from sensors.config import BrokerSettings
from sensors.edge.outbox.outbox import Key, Outbox
from sensors.edge.sealing.cipher import Cipher, new_key
from sensors.edge.sending.identity import Identity
from sensors.edge.sending.plan import Pace
from sensors.edge.sending.publisher import Publisher
from sensors.errors import StateError
from sensors.messages import ReadingMessage, StatusMessage
from sensors.mqtt import Connection

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
RUN = "run00001"


class _Clock:
    def monotonic_s(self) -> float:
        return 100.0

    def now_at(self) -> datetime:
        return AT


def _publisher(outbox: Outbox) -> Publisher:
    return Publisher(
        BrokerSettings(),
        Identity(site="north", agent="k7", source="pc", run=RUN),
        outbox,
        _Clock(),
        status=lambda online: StatusMessage(source="pc", run=RUN, online=online, at=AT),
        consent=lambda: None,
    )


async def test_a_connection_lost_between_two_windows_strands_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = chain([True], repeat(False))  # it stands for the first window only
    handed_over: list[bytes] = []

    def publish(_self: Connection, _topic: str, payload: bytes, **_how: object) -> int:
        handed_over.append(payload)
        return len(handed_over)

    monkeypatch.setattr(Connection, "is_connected", property(lambda _self: next(connected)))
    monkeypatch.setattr(Connection, "publish", publish)
    outbox = Outbox(tmp_path / "outbox.sqlite", Cipher(new_key()))
    windows = [ReadingMessage(source="pc", run=RUN, seq=n, window_end_at=AT) for n in range(3)]
    outbox.put(windows, AT)
    publisher = Publisher(
        BrokerSettings(),
        Identity(site="north", agent="k7", source="pc", run=RUN),
        outbox,
        _Clock(),
        status=lambda online: StatusMessage(source="pc", run=RUN, online=online, at=AT),
        consent=lambda: None,
        pace=Pace(backlog_per_s=float("inf")),
    )
    await publisher._send_due()
    assert len(handed_over) == 1
    connected = repeat(True)
    await publisher._send_due()
    assert [b'"seq":%d' % n in payload for n, payload in enumerate(handed_over)] == [True] * 3
    assert outbox.keys() == [Key(RUN, n) for n in range(3)]  # not stored: still ours
    outbox.close()


async def test_it_looks_often_only_while_a_window_is_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look costs; an idle edge must not show in anybody's fan."""
    connected = False
    monkeypatch.setattr(Connection, "is_connected", property(lambda _self: connected))
    monkeypatch.setattr(Connection, "publish", lambda *_args, **_how: 1)
    outbox = Outbox(tmp_path / "outbox.sqlite", Cipher(new_key()))
    publisher = _publisher(outbox)
    assert publisher._rest_s() == 5.0  # a connection wakes it
    connected = True
    publisher._ask_time()
    assert publisher._rest_s() == 5.0
    publisher.kept(outbox_keys := [Key(RUN, 0)])
    assert publisher._rest_s() == 0.25
    publisher._plan.released(outbox_keys, 100.0)
    assert publisher._rest_s() == 5.0
    outbox.close()


async def test_a_disk_that_refuses_just_after_a_damage_does_not_end_the_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", Cipher(new_key()))
    publisher = _publisher(outbox)
    outbox.put([ReadingMessage(source="pc", run=RUN, seq=0, window_end_at=AT)], AT)
    outbox._file.generation += 1  # a damaged file was replaced

    def refuse() -> list[Key]:
        raise StateError("outbox: disk I/O error")

    with monkeypatch.context() as refusing:
        refusing.setattr(outbox, "keys", refuse)
        await publisher._send_due()
        publisher.kept([])
    publisher.kept([])
    assert publisher.unsent == 1
    outbox.close()
