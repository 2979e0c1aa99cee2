"""Scripts and wearers."""

import numpy as np
import pytest

from firmware_bridge.simulation.physiology import REST, STRAIN, Wearer
from firmware_bridge.simulation.script import DEFAULT, parse_script
from sensors.errors import ConfigurationError


def test_a_script_names_stages_and_seconds():
    rest, strain, recovery = parse_script(DEFAULT)
    assert [stage.seconds for stage in (rest, strain, recovery)] == [60.0, 120.0, 60.0]
    assert parse_script(" rest , off:5")[1].worn is False


def test_a_script_may_be_a_file(tmp_path):
    path = tmp_path / "shift.toml"
    path.write_text('[[stage]]\nname = "calm"\nseconds = 30\nhr_bpm = 55\n')
    (stage,) = parse_script(str(path))
    assert (stage.name, stage.hr_bpm, stage.eda_us) == ("calm", 55.0, REST.eda_us)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[stage]]\nname = "x"\nseconds = 30\npulse = 55\n', "'pulse'"),
        ('[[stage]]\nname = "x"\nseconds = 30\nhr_bpm = 5\n', "hr_bpm is 5; expected 35 to 190"),
        ('[[stage]]\nname = "x"\nseconds = "long"\n', "seconds"),
        ('[stage]\nname = "x"\n', "expected one for each stage"),
        ("", "expected one for each stage"),
    ],
)
def test_a_wrong_file_is_told_in_its_words(tmp_path, text, told):
    path = tmp_path / "shift.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=told):
        parse_script(str(path))


@pytest.mark.parametrize("text", ["", "sleep", "rest:x", "rest:0", "rest:60,,off"])
def test_wrong_words_are_told(text):
    with pytest.raises(ConfigurationError, match=r"--script|seconds"):
        parse_script(text)


def test_strain_shows_in_every_signal():
    def means(stage):
        wearer = Wearer([stage], 3)
        t_s = np.arange(1.0, 100.0, 0.125)
        return wearer.eda_us(t_s).mean(), wearer.skin_temp_c(t_s).mean()

    eda, temperature = zip(means(REST), means(STRAIN), strict=True)
    assert eda[1] > 1.3 * eda[0]
    assert temperature[1] < temperature[0] - 0.3
    rest, strain = (beats_of(stage) for stage in (REST, STRAIN))
    assert np.diff(strain).mean() < 0.87 * np.diff(rest).mean()
    assert np.diff(strain).std() < 0.6 * np.diff(rest).std()


def beats_of(stage):
    wearer, found = Wearer([stage], 3), []
    for second in range(100):
        found += wearer.beats(second, second + 1)
    return np.array(found)
