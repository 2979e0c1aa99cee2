"""The judge of simulated floors is judged: by hand-made alerts, and as the command prints it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analytics.evaluation import evaluate
from analytics.evaluation import plot as evaluate_plot
from analytics.evaluation.simulated import FloorTally, judge_floor, judge_simulated, tally
from analytics.evaluation.told import Supervised, Told
from analytics.events import Outputs, Publication
from analytics.scoring.episodes import threshold_for
from analytics.simulation import SCENARIOS, CommonCause, Group, Scenario, SimulatedEpisode, simulate
from sensors.messages import AlertKind, AlertMessage, AlertState
from wellbeing import main

EVERYTHING = {f"has_{x}": 1.0 for x in ("heart", "beats", "skin", "desk", "voice")}
SHORT = {"first_s": 900.0, "ramp_s": (300.0, 300.0), "hold_s": (300.0, 600.0)}
STRONG = Scenario(episodes_per_shift=12.0, strength=2.0, react=1.0, **EVERYTHING, **SHORT)


@pytest.fixture
def floor():
    """One agent, two hours, and one episode from 3000 s on; full at 3600, over at 4800."""
    made = simulate(1, 2.0, 1, Scenario(episodes_per_shift=0.0, **EVERYTHING))
    made.episodes.append(
        SimulatedEpisode(
            agent=0, start_s=3000, full_s=3600, release_s=4200, end_s=4800, strength=1.0,
            groups=frozenset({Group.HEART}),
        )
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("alerts", "found", "before_full", "false_alerts", "delays"),
    [
        pytest.param([], 0, 0, 0, [], id="none"),
        pytest.param([3300], 1, 1, 0, [300], id="while it rises"),
        pytest.param([3700, 4000], 1, 0, 0, [700], id="after full intensity, once"),
        pytest.param([4850], 1, 0, 0, [1850], id="in the tail"),
        pytest.param([4865], 0, 0, 1, [], id="after the tail"),
        pytest.param([2990], 0, 0, 1, [], id="one that stands already finds nothing"),
        pytest.param([200], 0, 0, 0, [], id="before anything counts"),
    ],
)
def test_what_alerts_find_and_disturb(floor, alerts, found, before_full, false_alerts, delays):
    told = tally(floor, 0, np.array(alerts, float))
    assert (told.episodes, told.reachable) == (1, 1)
    assert (told.found, told.found_reachable, told.before_full) == (found, found, before_full)
    assert (told.false_alerts, told.delays_s) == (false_alerts, delays)
    assert told.calm_hours == pytest.approx((7200 - 300 - 1860) / 3600, abs=0.01)
    assert told.false_per_shift == pytest.approx(8 * false_alerts / told.calm_hours)


def test_an_episode_that_shows_nowhere_is_not_reachable(floor):
    floor.episodes[0] = SimulatedEpisode(
        agent=0, start_s=3000, full_s=3600, release_s=4200, end_s=4800, strength=1.0,
        groups=frozenset(),
    )  # fmt: skip
    told = tally(floor, 0, np.array([3300.0]))
    assert (told.episodes, told.found, told.reachable, told.found_reachable) == (1, 1, 0, 0)


def test_alerts_of_a_common_cause_are_neither_found_nor_false():
    cause = CommonCause(start_s=1800.0, share=1.0)
    floor = simulate(1, 2.0, 1, Scenario(episodes_per_shift=0.0, common=(cause,)))
    told = tally(floor, 0, np.array([floor.episodes[0].start_s + 200]))
    assert (told.in_common, told.found, told.false_alerts, told.episodes) == (1, 0, 0, 0)


def test_strong_episodes_are_found_and_a_bigger_floor_is_made_in_parts():
    parted = judge_simulated(8, 1.0, 2, STRONG, thresholds=[threshold_for(2)], team_size=2)
    whole = judge_floor(simulate(8, 1.0, 2, STRONG), [threshold_for(2)], 2)
    assert parted.tallies == whole.tallies
    assert [one.alerts_s for one in parted.agents] == [one.alerts_s for one in whole.agents]
    assert parted.tallies[0].found >= 0.6 * parted.tallies[0].episodes > 0
    assert np.nanmean([one.auc for one in whole.agents]) > 0.8
    assert parted.told.personal.keys() == whole.told.personal.keys()


def test_parts_are_added_up(monkeypatch):
    monkeypatch.setattr("analytics.evaluation.simulated.PART_HOURS", 1.0)  # two agents
    shares = []
    parted = judge_simulated(
        5, 0.5, 2, STRONG, thresholds=[0.8, 1.6], team_size=2, progress=shares.append
    )
    monkeypatch.undo()
    whole = judge_simulated(5, 0.5, 2, STRONG, thresholds=[0.8, 1.6], team_size=2)
    assert parted.tallies == whole.tallies
    assert [one.number for one in parted.agents] == [0, 1, 2, 3, 4]
    assert parted.told == whole.told
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_a_cause_that_the_team_shares_is_told_once_to_its_supervisor():
    cause = CommonCause(start_s=1800.0, strength=2.5, share=1.0, ramp_s=60.0)
    scenario = Scenario(episodes_per_shift=0.0, react=1.0, common=(cause,), **EVERYTHING)
    judged = judge_simulated(10, 1.0, 2, scenario, thresholds=[threshold_for(10)], team_size=10)
    assert len(judged.told.team) == 1
    assert judged.tallies[0].in_common >= 4


def test_the_budget_holds_even_if_everybody_differs_all_the_time():
    # A threshold far below production's.
    judged = judge_simulated(16, 1.5, 3, STRONG, thresholds=[0.5], team_size=16)
    began = sum(len(one.alerts_s) for one in judged.agents)
    told = [at for times in judged.told.personal.values() for at in times]
    assert began > len(told) > 0
    assert judged.told.most_in_an_hour <= 2


def test_the_fullest_hour_of_one_supervisor():
    at = datetime(2026, 1, 5, tzinfo=UTC)
    minutes = [0, 50, 59, 61, 130]
    told = Told({"a": [at + timedelta(minutes=m) for m in minutes], "b": [at]})
    assert told.most_in_an_hour == 3
    assert Told().most_in_an_hour == 0


def test_a_ratio_has_an_interval_over_people():
    low, high = evaluate.bootstrap_ratio_ci([1, 2, 0, 3], [2, 2, 2, 4])
    assert low < 0.6 < high
    assert evaluate.bootstrap_ratio_ci([1, 2], [2, 2]) == evaluate.bootstrap_ratio_ci(
        [1, 2], [2, 2]
    )
    assert np.isnan(evaluate.bootstrap_ratio_ci([], [])).all()
    assert np.isnan(evaluate.bootstrap_ratio_ci([0], [0])).all()
    assert np.isnan(FloorTally().false_per_shift)


SIMULATE = ["evaluate", "--simulate", "--agents", "6", "--hours", "0.8", "--seed", "3"]


def test_the_command_prints_the_same_twice_and_draws_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(SCENARIOS, "hard", STRONG)
    texts, pictures = [], []
    for name in ("one.svg", "two.svg"):
        plot = tmp_path / name
        options = ["--team-size", "3", "--plot", str(plot), "--json"]
        assert main([*SIMULATE, "--strength", "1.5", "--react", "1", *options]) == 0
        texts.append(capsys.readouterr().out)
        pictures.append(plot.read_bytes())
    assert texts[0] == texts[1]
    assert pictures[0] == pictures[1]
    assert b"alerts at random" in pictures[0]
    assert b"production, team of 3" in pictures[0]
    found = json.loads(texts[0])
    overall = found["overall"]
    assert (overall["agents"], overall["teams"], overall["strength"]) == (6, 2, 1.5)
    assert overall["found"] > 0
    assert len(overall["operating_curve"]) > 10
    rates = [point["false_alerts_per_hour"] for point in overall["operating_curve"]]
    assert rates[0] >= rates[-1]
    assert [one["name"] for one in found["per_recording"]] == [f"agent{k}" for k in range(6)]
    assert sum(one["found"] for one in found["per_recording"]) == overall["found"]
    assert overall["coverage"] > 0.9


def test_a_calm_floor_tells_only_what_applies(capsys):
    assert main([*SIMULATE, "--scenario", "calm", "--json"]) == 0
    overall = json.loads(capsys.readouterr().out)["overall"]
    assert overall["scenario"] == "calm"
    assert main([*SIMULATE, "--scenario", "calm"]) == 0
    first, false, told = capsys.readouterr().out.splitlines()
    assert first == "6 simulated agents, scenario calm, 1 x 0.8 h; no personal episodes"
    low, high = overall["false_alerts_per_agent_shift_ci95"]
    assert f" per agent-shift of 8 h (95 % over agents {low:.2f} to {high:.2f})" in false
    assert "per team-hour" in told


def test_a_floor_with_episodes_tells_what_was_found(capsys, monkeypatch):
    monkeypatch.setitem(SCENARIOS, "clear", STRONG)
    assert main([*SIMULATE, "--scenario", "clear", "--json"]) == 0
    overall = json.loads(capsys.readouterr().out)["overall"]
    assert overall["scenario"] == "clear"
    assert main([*SIMULATE, "--scenario", "clear"]) == 0
    first, found, false, _ = capsys.readouterr().out.splitlines()
    assert "scenario clear, 1 x 0.8 h" in first
    assert f"{overall['episodes']} episodes of strength 2, each group" in first
    low, high = overall["found_fraction_ci95"]
    assert found.startswith(f"Found {overall['found_fraction']:.2f} (95 % over agents {low:.2f} to")
    assert f" {high:.2f}; at random {overall['chance_found_fraction']:.2f})" in found
    assert "False alerts" in false


def test_a_common_cause_reacts_as_asked(capsys):
    """`--react` has an effect there: what it changes is not refused."""
    given = [*SIMULATE, "--hours", "3.5", "--scenario", "team_cause", "--react", "1", "--json"]
    assert main(given) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["react"] == 1.0


def test_supervisors_answer_every_card_after_five_minutes():
    at = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    supervised = Supervised(1, 1, at)
    card = AlertMessage(
        alert_id="0" * 16,
        kind=AlertKind.PERSONAL,
        state=AlertState.FIRING,
        team="team0",
        agent="a0",
        started_at=at,
        told_at=at,
        told_to=("lead0",),
    )
    supervised._hear(Outputs(publications=[Publication("alert", card)] * 2), at)
    assert supervised.told.personal == {"lead0": [at]}  # a retelling is no second alert
    assert supervised._due(at + timedelta(seconds=299)) == []
    [answer] = supervised._due(at + timedelta(seconds=300))
    assert (answer.message.alert_id, answer.message.by) == ("0" * 16, "lead0")
    assert supervised._due(at + timedelta(seconds=305)) == []


def _too_late(n_agents, hours, seed, scenario, **_):
    simulate(1, 0.1, seed, scenario)  # says what it refuses
    pytest.fail("nothing may take long before it is refused")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], "nothing to judge", id="nothing"),
        pytest.param(["x.csv", "--simulate"], "not both", id="both"),
        pytest.param(["x.csv", "--agents", "3"], "--agents is for a simulated floor", id="agents"),
        pytest.param(["--simulate", "--scenario", "odd"], "expected one of calm", id="scenario"),
        *(
            pytest.param(
                ["--simulate", "--scenario", scenario, option, value],
                f"{option} has no effect: scenario {scenario} has no personal episodes; leave it",
                id=f"{option} of {scenario}",
            )
            for scenario, option, value in (
                ("calm", "--strength", "3"),
                ("calm", "--react", "0.5"),
                ("calm", "--plot", "a.svg"),
                ("day_offset", "--react", "0.5"),
                ("team_cause", "--strength", "3"),
            )
        ),
        pytest.param(["--simulate", "--react", "2"], "react is 2; expected 0 to 1", id="react"),
        pytest.param(["--simulate", "--hours", "0"], "--hours 0: expected", id="hours"),
        pytest.param(
            ["--simulate", "--scenario", "team_cause", "--hours", "3"],
            "--hours 3: the cause of team_cause is at its full only after 3.1 h",
            id="hours of a cause",
        ),
        pytest.param(["--simulate", "--seed", "-1"], "seed of a simulated floor is -1", id="seed"),
        pytest.param(["--simulate", "--plot", "a.pdf"], "ends in .svg or .png", id="ending"),
        pytest.param(["--simulate", "--plot", "no/a.svg"], "there is no folder no", id="folder"),
        pytest.param(["--simulate", "--plot", "/proc/a.svg"], "--plot /proc/a.svg: ", id="locked"),
        pytest.param(["--simulate", "--plot", "here.svg"], "here.svg is a folder", id="a folder"),
        pytest.param(
            ["--simulate", "--strength", "inf"], "strength is inf; expected", id="endless"
        ),
        pytest.param(["--simulate", "--strength", "1e9"], "expected 0 to 10", id="strength"),
    ],
)
def test_what_does_not_go_together_ends_in_one_line(
    capsys, arguments, words, tmp_path, monkeypatch
):
    (tmp_path / "here.svg").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("analytics.evaluation.simulated_report.judge_simulated", _too_late)
    assert main(["evaluate", *arguments]) == 2
    shown = capsys.readouterr().err.strip()
    assert words in shown
    assert len(shown.splitlines()) == 1


def test_drawing_without_matplotlib_names_the_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["evaluate", "--simulate", "--plot", str(tmp_path / "a.svg")]) != 0
    assert "pip install 'agent-wellbeing[plots]'" in capsys.readouterr().err


def point(rate, found, chance):
    return {
        "false_alerts_per_hour": rate,
        "found_fraction": found,
        "chance_found_fraction": chance,
    }


CURVE = {
    "recordings": 3,
    "team_size": 20,
    "detector_version": "x",
    **point(0.5, 0.3, 0.05),
    # As thresholds rise, rates fall; what is unknown has no place.
    "operating_curve": [point(4.0, 0.9, 0.4), point(1.0, 0.5, 0.1), point(None, None, None)],
}


def test_the_lines_are_where_the_figures_say():
    axes = pytest.importorskip("matplotlib.figure").Figure().add_subplot()
    evaluate_plot._lines(axes, CURVE)
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert drawn == {
        "found": [[1.0, 0.5], [4.0, 0.9]],
        "alerts at random": [[1.0, 0.1], [4.0, 0.4]],
        "production, team of 20": [[0.5, 0.3]],
    }
    assert axes.get_title() == "3 recordings; detector x"


def test_the_title_of_a_simulated_floor_names_its_scenario():
    asked = {"agents": 6, "shifts": 1, "hours_per_shift": 0.8, "strength": 1.5, "react": 1.0}
    axes = pytest.importorskip("matplotlib.figure").Figure().add_subplot()
    evaluate_plot._lines(axes, {**CURVE, "simulated": True, "scenario": "hard", **asked})
    assert axes.get_title() == (
        "simulated floor, hard: 6 agents, 1 x 0.8 h, strength 1.5, reacting 1; detector x"
    )


def test_a_curve_of_recordings_is_drawn_too(tmp_path):
    path = tmp_path / "curve.png"
    evaluate_plot.draw_curve(CURVE, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_where_there_is_no_curve_none_is_drawn_but_the_figures_are_told(tmp_path, capsys):
    calm = tmp_path / "calm.csv"
    rows = "".join(f"{t},hr_bpm,{70 + t % 7}\n" for t in range(900))
    calm.write_text(f"t_s,signal,value\n0,label,0\n{rows}")
    assert main(["evaluate", str(calm), "--plot", str(tmp_path / "a.svg")]) == 0
    shown = capsys.readouterr()
    assert not (tmp_path / "a.svg").exists()
    assert "a.svg: not drawn; a curve needs strained and calm time" in shown.err
    assert "AUC unknown" in shown.out
