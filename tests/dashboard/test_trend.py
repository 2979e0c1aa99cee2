"""The floor over time: what is asked, of whom, how finely, and what is never told."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analytics.store.base import Query, Row, Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.groups import GRID
from analytics.store.opening import open_store
from analytics.store.settings import StoreSettings
from dashboard import trend as trends
from dashboard import trend_reader
from dashboard.trend import LENGTH, WIDTH, Column, Span, columns, most, parts, plan
from dashboard.trend_reader import Stage, Trend, TrendReader
from sensors.errors import StoreError
from tests.dashboard.floors import SITE, utc_now
from tests.dashboard.made_summaries import minutes
from tests.rig.waiting import PATIENCE_S, wait_until

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 7, 8, 14, 7, 30, tzinfo=UTC)
FIVE = ("k1", "k2", "k3", "k4", "k5")
SIX = (*FIVE, "k6")
NIGHT = ("n1", "n2", "n3", "n4")
CALM = {"as_usual": 1.0}


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Callable[..., TrendReader]]:
    """Return a function that starts a reader of the store in this test's folder."""
    started: list[TrendReader] = []

    def start(
        members: trends.Members,
        open_one: Callable[[], Store] | None = None,
        limit_s: float = PATIENCE_S,
        now: datetime = NOW,
    ) -> TrendReader:
        reader = TrendReader(
            open_one or (lambda: EmbeddedStore(tmp_path / "store.sqlite", read_only=True)),
            SITE,
            members,
            smallest=5,
            clock=lambda: now,
            time_limit_s=limit_s,
        )
        reader.start()
        started.append(reader)
        return reader

    yield start
    for reader in started:
        reader.stop()


def finished(reader: TrendReader, span: Span) -> Trend:
    """Return the picture once it is whole, or known not to become so."""

    def whole() -> Trend | None:
        seen = reader.look(span, UTC)
        return seen if seen.stage is not Stage.READING else None

    return wait_until(whole, what="the picture")


def drawn(seen: Trend, team: str = "billing") -> list[Column]:
    return columns(seen.plan, team, seen.different, seen.as_usual)


@pytest.mark.parametrize("span", Span)
@pytest.mark.parametrize(
    "zone", [UTC, BERLIN, ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Kathmandu")]
)
def test_a_picture_has_no_more_columns_than_can_be_told_apart(span: Span, zone: ZoneInfo) -> None:
    shown = plan(span, NOW, zone)
    begins = shown.begins(shown.every)
    assert len(begins) <= WIDTH + 1  # the oldest begins before what was asked for
    assert shown.every >= GRID
    assert shown.end_at - shown.start_at >= LENGTH[span]
    assert timedelta(0) <= NOW - shown.end_at < GRID + trends.SETTLED
    local = [datetime.fromtimestamp(ns / 1e9, zone) for ns in begins]
    steps = {b - a for a, b in pairwise(local)}
    assert steps == {shown.every}
    assert all((at.hour * 60 + at.minute) % (shown.every.total_seconds() / 60) == 0 for at in local)


def test_columns_stay_on_the_clock_when_it_changes() -> None:
    """Half days begin at midnight and at noon on both sides of the change."""
    shown = plan(Span.MONTH, datetime(2026, 4, 10, 9, tzinfo=UTC), BERLIN)
    assert shown.every == timedelta(hours=12)
    begins = shown.begins(shown.every)
    assert {datetime.fromtimestamp(ns / 1e9, BERLIN).hour for ns in begins} == {0, 12}
    hours = [(b - a) / 3_600e9 for a, b in pairwise(begins)]
    assert sorted(set(hours)) == [11, 12]
    days = [(b - a) / 3_600e9 for a, b in pairwise(shown.begins(timedelta(days=1)))]
    assert (days.count(23), set(days)) == (1, {23, 24})


def test_the_hour_that_comes_twice_is_two() -> None:
    shown = plan(Span.SHIFT, datetime(2026, 10, 25, 6, tzinfo=UTC), BERLIN)
    for every in (GRID, timedelta(hours=1)):
        begins = shown.begins(every)
        assert {b - a for a, b in pairwise(begins)} == {every // timedelta(microseconds=1) * 1_000}


def test_questions_are_of_a_day_at_most_newest_first_and_of_nobody_twice() -> None:
    moved_at = datetime(2026, 7, 5, 22, tzinfo=UTC)

    def members(at: datetime) -> dict[str, tuple[str, ...]]:
        return {"billing": SIX if at < moved_at else FIVE}

    shown = plan(Span.WEEK, NOW, UTC)
    found = parts(shown, members, 5)
    assert all(part.end_at - part.start_at <= timedelta(days=1) for part in found)
    assert found[0].end_at == shown.end_at
    assert found[-1].start_at == shown.start_at
    assert all(later.start_at == earlier.end_at for later, earlier in pairwise(found))
    for part in found:
        assert part.blocks.members["billing"] == frozenset(members(part.start_at)["billing"])


def test_shares_are_of_people_and_the_rest_is_unknown(
    store: EmbeddedStore, read: Callable[..., TrendReader]
) -> None:
    began = datetime(2026, 7, 8, 10, tzinfo=UTC)
    hour = timedelta(hours=1)
    store.write(minutes(FIVE, began, hour, CALM))
    store.write(minutes(FIVE[:2], began + hour, hour, {"different": 0.5, "as_usual": 0.5}))
    store.write(minutes(FIVE[2:4], began + hour, hour, CALM))
    store.write(minutes(FIVE[4:], began + hour, hour, {"no_data": 0.75, "learning": 0.25}))
    seen = finished(read(lambda _at: {"billing": FIVE}), Span.SHIFT)
    assert seen.stage is Stage.READY
    told = {column.begin_at: column for column in drawn(seen)}
    calm, mixed = told[began + hour / 2], told[began + 3 * hour / 2]
    assert (calm.different, calm.unknown) == (0.0, 0.0)
    assert mixed.different == pytest.approx(0.2)
    assert mixed.unknown == pytest.approx(0.2)
    assert told[began - hour] == Column(began - hour, None, None)
    newest = most(drawn(seen))
    assert newest is not None
    assert newest.begin_at == began + 2 * hour - GRID


def test_fewer_than_five_show_nothing_also_by_subtraction(
    store: EmbeddedStore, read: Callable[..., TrendReader]
) -> None:
    """TRUST T16: one of six leaves for a while, one of five is never told."""
    began = datetime(2026, 7, 8, 9, tzinfo=UTC)
    store.write(minutes(SIX, began, timedelta(hours=1), {"different": 1.0}))
    store.write(minutes(FIVE[:4], began + timedelta(hours=1), timedelta(hours=1), CALM))
    store.write(minutes(NIGHT, began, timedelta(hours=1), {"different": 1.0}))
    teams = {"billing": SIX, "night": NIGHT}
    seen = finished(read(lambda _at: teams), Span.SHIFT)
    told = {column.begin_at: column.different for column in drawn(seen)}
    assert told[began] == 1.0
    assert told[began + timedelta(hours=1)] is None
    assert {cell.people for cell in (*seen.different, *seen.as_usual)} == {6}
    assert all(column.different is None for column in drawn(seen, "night"))
    coarse = columns(seen.plan, "billing", seen.different, seen.as_usual, timedelta(hours=4))
    assert 1.0 in {column.different for column in coarse}, "four who stayed changed a coarser one"


def test_who_joined_today_changes_no_figure_of_yesterday(
    store: EmbeddedStore, read: Callable[..., TrendReader]
) -> None:
    """TRUST T16: or the difference of two looks would be about one person."""
    midnight = datetime(2026, 7, 8, tzinfo=UTC)
    yesterday = midnight - timedelta(hours=4)
    store.write(minutes(FIVE, yesterday, timedelta(hours=1), CALM))
    store.write(minutes(("k6",), yesterday, timedelta(hours=1), {"different": 1.0}))

    def joined(at: datetime) -> dict[str, tuple[str, ...]]:
        return {"billing": SIX if at >= midnight else FIVE}

    before = finished(read(lambda _at: {"billing": FIVE}), Span.DAY)
    after = finished(read(joined), Span.DAY)
    assert drawn(before) == drawn(after)
    assert 0.0 in {column.different for column in drawn(after)}


def test_a_month_comes_from_the_summaries_on_a_real_server(
    any_influx: StoreSettings, read: Callable[..., TrendReader]
) -> None:
    """The same picture from InfluxDB, which counts and adds on its side."""
    server = open_store(any_influx)
    try:
        # A server keeps its own time, and drops what is older than it keeps.
        now = utc_now()
        for day in range(1, 28, 3):
            began = now.replace(hour=10, minute=0, second=0, microsecond=0)
            began -= timedelta(days=day)
            server.write(minutes(FIVE[:4], began, timedelta(hours=1), CALM))
            server.write(minutes(FIVE[4:], began, timedelta(hours=1), {"different": 1.0}))
    finally:
        server.close()
    reader = read(lambda _at: {"billing": FIVE}, lambda: open_store(any_influx), now=now)
    seen = finished(reader, Span.MONTH)
    assert seen.stage is Stage.READY
    known = [column.different for column in drawn(seen) if column.different is not None]
    assert known == [pytest.approx(0.2)] * len(known)
    assert len(known) == len(range(1, 28, 3))


class Slow:
    """A store in which every question takes its time, or finds nobody at home."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.asked: list[Query] = []
        self.away = False

    def read(self, query: Query) -> list[Row]:
        self.asked.append(query)
        if self.away:
            raise StoreError("cannot reach the database")
        return self._store.read(query)

    def close(self) -> None:
        """Leave the store to who made it."""


def test_a_store_that_is_away_is_said_asked_again_and_comes_back(
    store: EmbeddedStore, read: Callable[..., TrendReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trend_reader, "RETRY_S", 0.0)
    slow = Slow(store)
    slow.away = True
    reader = read(lambda _at: {"billing": FIVE}, lambda: slow)  # type: ignore[arg-type,return-value]
    seen = finished(reader, Span.SHIFT)
    assert (seen.stage, seen.why) == (Stage.AWAY, "cannot reach the database")
    slow.away = False
    wait_until(lambda: reader.look(Span.SHIFT, UTC).stage is Stage.READY, what="its return")


def test_a_picture_that_takes_too_long_stops_and_says_how_far_it_came(
    store: EmbeddedStore, read: Callable[..., TrendReader]
) -> None:
    slow = Slow(store)
    reader = read(lambda _at: {"billing": FIVE}, lambda: slow, 0.0)  # type: ignore[arg-type,return-value]
    seen = finished(reader, Span.MONTH)
    assert seen.stage is Stage.TOO_LONG
    assert slow.asked == []
    assert seen.read_from == seen.plan.end_at


def test_every_question_is_bounded_and_names_no_measured_field(
    store: EmbeddedStore, read: Callable[..., TrendReader]
) -> None:
    """TRUST T12: shares of states, of groups, of a day; nothing else is ever asked for."""
    slow = Slow(store)
    finished(read(lambda _at: {"billing": FIVE}, lambda: slow), Span.MONTH)  # type: ignore[arg-type,return-value]
    assert len(slow.asked) == 2 * 29  # 28 days touch 29
    for query in slow.asked:
        assert set(query.fields) <= {trends.DIFFERENT, trends.AS_USUAL}
        assert query.every == GRID
        assert query.start_at is not None
        assert query.end_at is not None
        assert query.end_at - query.start_at <= timedelta(days=1)
    asked = len(slow.asked)
    reader_again = read(lambda _at: {"night": NIGHT}, lambda: slow)  # type: ignore[arg-type,return-value]
    finished(reader_again, Span.MONTH)
    assert len(slow.asked) == asked, "a group too small was asked for"


def test_who_comes_late_or_is_erased_cannot_be_told_from_two_looks(
    store: EmbeddedStore, read: Callable[..., TrendReader]
) -> None:
    """TRUST T16: one outbox that comes an hour later is one person's."""
    began, hour = datetime(2026, 7, 8, 9, tzinfo=UTC), timedelta(hours=1)
    store.write(minutes(FIVE, began, hour, CALM))
    reader = read(lambda _at: {"billing": SIX})
    before = finished(reader, Span.SHIFT)
    store.write(minutes(("k6",), began, hour, {"different": 1.0}))
    again = Span.DAY  # another picture of the same hours, read only now
    seen = finished(reader, again)
    assert {cell.people for cell in seen.different} == {5}
    assert set(before.different) == set(seen.different)
    store.erase(SITE, "k1")
    assert set(finished(reader, Span.WEEK).different) == set(before.different)


def test_a_bug_ends_neither_the_reader_nor_the_page(
    store: EmbeddedStore, read: Callable[..., TrendReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trend_reader, "RETRY_S", 0.0)
    bad = [True]

    def members(_at: datetime) -> dict[str, tuple[str, ...]]:
        if bad:
            raise ZeroDivisionError("k1 71.37")
        return {"billing": FIVE}

    reader = read(members)
    seen = finished(reader, Span.SHIFT)
    assert (seen.stage, seen.why) == (Stage.AWAY, "ZeroDivisionError")
    bad.clear()
    wait_until(lambda: reader.look(Span.SHIFT, UTC).stage is Stage.READY, what="its return")
