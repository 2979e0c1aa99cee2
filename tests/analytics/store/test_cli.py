"""``wellbeing store`` as an operator types it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

import wellbeing
from analytics.store.opening import open_store
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings

NOW = datetime.now(UTC)


@pytest.fixture
def path(tmp_path, monkeypatch):
    file = tmp_path / "store.sqlite"
    monkeypatch.setenv("WELLBEING_STORE_PATH", str(file))
    return file


@pytest.fixture
def filled(path):
    store = open_store(StoreSettings(path=str(path)))
    for n in range(3):
        for agent in ("k1", "k2"):
            at = epoch_ns(NOW - timedelta(seconds=n))
            tags = {"site": "north", "agent": agent}
            store.write([Point(Measurement.SCORE, tags, {"seq": n, "state": "learning"}, at)])
    store.close()
    return path


def run(capsys, *arguments):
    code = wellbeing.main(["store", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_check_init_check(path, capsys):
    code, out, err = run(capsys, "check")
    assert (code, out) == (6, "")
    assert err == f"wellbeing store: no store at {path} yet; start `wellbeing detect` first\n"
    assert run(capsys, "init")[0] == 0
    code, out, err = run(capsys, "check", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["ok"] is True


@pytest.mark.usefixtures("filled")
def test_query_prints_the_newest_oldest_first(capsys):
    code, out, _ = run(capsys, "query", "score", "--site", "north", "--agent", "k1", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["fields"]["seq"] for row in rows] == [2, 1, 0]
    _, out, _ = run(capsys, "query", "score", "--site", "north", "--latest", "--field", "seq")
    assert [line.split()[1:] for line in out.splitlines()] == [
        ["site=north", f"agent={agent}", "seq=0"] for agent in ("k1", "k2")
    ]
    since = (NOW - timedelta(seconds=1.5)).isoformat()
    _, out, _ = run(capsys, "query", "score", "--site", "north", "--since", since, "--limit", "3")
    assert len(out.splitlines()) == 3
    assert run(capsys, "query", "beat", "--site", "north")[1] == "nothing matches\n"


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["query", "nonsense", "--site", "north"], id="measurement"),
        pytest.param(["query", "score"], id="no site"),
        pytest.param(["query", "score", "--site", "n", "--since", "noon"], id="time"),
        pytest.param(["check", "--config", "/nowhere.toml"], id="no file"),
        pytest.param(["--nonsense"], id="option"),
    ],
)
def test_a_mistake_is_told_and_is_exit_code_2(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err.strip()


@pytest.mark.needs("influxd")
def test_init_makes_the_databases_of_a_server(influxd, capsys, monkeypatch):
    monkeypatch.setenv("WELLBEING_STORE_KIND", "influxdb")
    monkeypatch.setenv("WELLBEING_STORE_URL", influxd.url)
    assert run(capsys, "check")[0] == 6
    code, out, _ = run(capsys, "init")
    assert code == 0
    assert out.splitlines()[0].startswith('CREATE DATABASE "wellbeing"')
    assert run(capsys, "init")[1] == "nothing to do: everything is there\n"
    code, out, _ = run(capsys, "check")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()].count("XX") == 0
    assert "retention derived  90 d" in out
