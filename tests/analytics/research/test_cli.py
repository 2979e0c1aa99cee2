"""The command: tables, JSON, and one line for every mistake."""

import json

import pytest

import wellbeing
from tests.analytics.research.conftest import CONSENTED, STUDY, form


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, small_file):
    """Return a function that runs `wellbeing research ...` on the small study."""
    folder = tmp_path / "small"
    folder.mkdir()
    forms = "".join(form(agent) for agent in CONSENTED)
    (folder / "study.toml").write_text(STUDY + forms, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WELLBEING_STORE_PATH", str(small_file))
    monkeypatch.setenv("WELLBEING_RESEARCH_LEDGER", str(tmp_path / "exports.jsonl"))

    def command(*arguments):
        code = wellbeing.main(["research", *arguments])
        return code, *capsys.readouterr()

    return command


@pytest.mark.parametrize(
    "arguments",
    [("signals",), ("agents",), ("events",), ("gaps", "hr_bpm"), ("query", "hr_bpm", "--every", "15min")],
)  # fmt: skip
def test_every_table_is_also_json(run, arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    told, out, _ = run(*arguments, "--json")
    assert told == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows or arguments[0] == "gaps"
    assert "NaN" not in out


def test_query_is_csv_that_stops_at_the_limit(run):
    code, out, _ = run("query", "hr_bpm", "demanding", "--limit", "7")
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 8
    assert lines[0] == "agent,at,local_at,signal,value,n,quality,context"
    assert {line.split(",")[3] for line in lines[1:]} <= {"hr_bpm", "demanding"}


def test_the_report_as_json(run):
    code, out, _ = run("report", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["agents"] == 6
    assert {w["reason"] for w in found["windows"]} == {"measured", "withheld"}


def test_export_then_who_is_in_it(run, tmp_path):
    code, out, _ = run("export", str(tmp_path / "x.csv"), "hr_bpm", "--every", "5min")
    assert code == 0
    assert "values of 6 agents" in out
    _, out, _ = run("ledger", "--agent", "k1")
    assert "x.csv" in out
    assert "set withdrawn_at for k1" in out
    (tmp_path / "x.csv").unlink()
    _, out, _ = run("ledger", "--agent", "k1", "--study", ".")
    assert "not there any more" in out
    assert "in study small k1 is p" in out
    _, out, _ = run("ledger", "--agent", "refuses")
    assert "refuses is in no export" in out
    _, out, _ = run("ledger", "--json")
    assert json.loads(out)["agents"] == list(CONSENTED)


def test_a_new_study_denies_until_it_is_filled_in(run, tmp_path):
    folder = str(tmp_path / "My Study")
    code, out, _ = run("new", folder, "--site", "north")
    assert code == 0
    assert "approved_by" in out
    code, _, err = run("agents", "--study", folder)
    assert code == 2
    assert "approved_by is empty" in err
    path = tmp_path / "My Study" / "study.toml"
    path.write_text(path.read_text().replace('by = ""', 'by = "board"'), encoding="utf-8")
    code, _, err = run("agents", "--study", folder)
    assert code == 2
    assert "nobody has consented to study my-study" in err
    code, _, err = run("new", folder, "--site", "north")
    assert code == 2
    assert "is there already" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("query", "hr"), "did you mean hr_bpm"),
        (("query", "f0_hz"), "does not cover voice"),
        (("query", "hr_bpm", "--every", "5"), "like 30s"),
        (("query", "hr_bpm", "--agent", "k1"), "nobody in study small is called"),
        (("report", "--signal", "hr_bpm"), "1 week to compare; expected two or more"),
        (("report", "--signal", "hr_bpm", "--hours", "3-4"), "widen hours"),
        (("report", "--signal", "hr_bpm", "--every", "1d"), "expected 1h or less"),
        (("report", "--signal", "hr_bpm", "--figure", "x.gif"), "expected .svg"),
        (("agents", "--study", "nowhere"), "research new FOLDER"),
        (("new", "!!!", "--site", "north"), "folder"),
        (("demo", "."), "choose another folder"),
    ],
)
def test_a_mistake_is_one_line(run, arguments, says):
    code, out, err = run(*arguments)
    assert code != 0
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1


def test_nothing_in_these_hours_is_said_beside_the_data(run):
    code, out, err = run("query", "hr_bpm", "--hours", "3-4")
    assert (code, out) == (0, "")
    assert "widen hours" in err
