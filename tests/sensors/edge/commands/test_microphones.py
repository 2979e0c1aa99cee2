"""`wellbeing edge microphones` with a sound driver that lists what it is told to."""

from __future__ import annotations

import json

import wellbeing
from tests.sensors.voice.sound_desk import fake_driver


def test_the_microphones_are_listed_and_a_monitor_is_marked(monkeypatch, tmp_path, capsys):
    fake_driver(monkeypatch, tmp_path, "sings")
    assert wellbeing.main(["edge", "microphones"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Desk Headset (ALSA), used when none is named",
        "Monitor of Desk Headset (ALSA), never used: it hears the other end of a call",
        "Webcam (ALSA)",
    ]
    assert wellbeing.main(["edge", "microphones", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)][2] == "Webcam"


def test_a_machine_without_a_sound_driver_says_what_to_install(monkeypatch, tmp_path, capsys):
    fake_driver(monkeypatch, tmp_path, "not installed")
    assert wellbeing.main(["edge", "microphones"]) == 4
    assert "pip install 'agent-wellbeing[voice]'" in capsys.readouterr().err
