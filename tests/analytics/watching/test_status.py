"""The status for people: every trouble comes with what to do about it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analytics.commands import status as status_cli
from analytics.state.state_file import open_state
from analytics.watching.status import ServerStatus, note, read_status
from analytics.watching.status_lines import as_lines, as_plain, troubles
from analytics.writing.report import StoreState
from sensors import codec
from tests.analytics.watching.test_metrics import NOW, figures
from wellbeing import main


def status_of(stopped: bool = False, lag_s: float = 0.5, **changes: Any) -> ServerStatus:
    told = figures(counters={"readings": 5}, store=StoreState(written=70), **changes)
    return ServerStatus(
        service=codec.load_json(note(told, stopped=stopped).encode()),
        counters=dict(told.counters), lag_s=lag_s, journal_rows=1, spool_points=2,
        spool_batches=1, set_aside_kept=0,
    )  # fmt: skip


def test_a_server_that_is_well_has_no_trouble() -> None:
    found = status_of()
    assert troubles(found) == []
    text = "\n".join(as_lines(found))
    assert "broker        connected" in text
    assert "5 windows" in text
    assert "2 points wait; 0 dropped" in text
    assert "scoring stood still for 0.100 s" in text
    assert "trouble" not in text


@pytest.mark.parametrize(
    ("found", "what", "remedy"),
    [
        pytest.param(status_of(stopped=True), "was stopped", "wellbeing detect", id="stopped"),
        pytest.param(status_of(lag_s=400.0), "400 s ago", "restart it", id="dead"),
        pytest.param(status_of(broker_trouble="no MQTT broker"), "no MQTT", "72 h", id="broker"),
        pytest.param(status_of(behind_s=99.0), "takes nothing", "store check", id="behind"),
        pytest.param(
            replace(status_of(), counters={"refused.unknown_agent": 3}),
            "3 messages refused: unknown_agent", "teams.toml", id="unknown agent",
        ),
        pytest.param(
            replace(status_of(), counters={"spool_dropped": 7}), "7 points", "spool_mb", id="dropped"
        ),
        pytest.param(replace(status_of(), service={}), "no step", "log", id="nothing yet"),
    ],
)  # fmt: skip
def test_every_trouble_says_what_to_do(found: ServerStatus, what: str, remedy: str) -> None:
    (one,) = troubles(found)
    assert what in one.what
    assert remedy in one.remedy
    if found.service:
        text = "\n".join(as_lines(found))
        assert f"trouble       {one.what}\n  do          {one.remedy}" in text


def test_the_stores_troubles_name_the_command() -> None:
    store = StoreState(refused=3, last_refusal="score: too old", trouble="no InfluxDB at x")
    base = status_of()
    told = codec.load_json(note(figures(store=store), stopped=False).encode())
    found = troubles(replace(base, service=told))
    assert [one.what for one in found] == ["no InfluxDB at x", "the store refused 3 points"]
    assert [one.remedy.split(";")[0] for one in found] == [
        "wellbeing store check", "wellbeing store set-aside list",
    ]  # fmt: skip


def test_what_the_store_refuses_as_a_batch_and_what_went_unheard_is_told() -> None:
    store = StoreState(held=40, last_refusal="answered 400: a dog ate it", restarts=2)
    told = codec.load_json(note(figures(store=store), stopped=False).encode())
    status = replace(status_of(), service=told, counters={"publications_dropped": 6})
    text = "\n".join(as_lines(status))
    assert "refuses 40 points in words nobody knows: answered 400: a dog ate it" in text
    assert "its writer died 2 times" in text
    assert "6 messages to agents were dropped" in text


def test_what_refuses_by_the_agents_choice_is_no_trouble() -> None:
    assert troubles(replace(status_of(), counters={"refused.not_consented": 9})) == []


def test_programs_get_the_troubles_too() -> None:
    found = as_plain(status_of(broker_trouble="no MQTT broker"))
    assert found["troubles"][0].what == "no MQTT broker"


def test_a_note_of_an_older_server_is_read_as_well(tmp_path: Path) -> None:
    db = open_state(tmp_path)
    older = {
        "at": NOW.isoformat(), "pid": 1, "broker": "connected", "live_waiting": 0,
        "backlog_waiting": 0, "missing": 0, "spooled_points": 0, "alerts": {},
        "store": {"trouble": "", "written": 1, "refused": 0, "last_refusal": ""},
    }  # fmt: skip
    db.execute("INSERT INTO notes VALUES ('status', ?)", (json.dumps(older),))
    db.close()
    text = "\n".join(as_lines(read_status(tmp_path, datetime.now(UTC))))
    assert "1 points written" in text
    assert "it has died" in text


def test_watching_shows_it_again_until_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_state(tmp_path).close()
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(status_cli.time, "sleep", nap)
    assert main(["status", "--state-dir", str(tmp_path), "--watch"]) == 130
    assert naps == [status_cli.WATCH_EVERY_S] * 3
    said = capsys.readouterr().out
    assert said.count("has not run a step yet") == 3
    assert "\x1b" not in said, "no terminal, no control characters"
