"""Which input is the agent's own microphone."""

from __future__ import annotations

import doctest

import pytest

from sensors.errors import DeviceError
from sensors.voice import inputs as voice_inputs
from sensors.voice.heard import Failed, Heard, Opened, from_line, to_line
from sensors.voice.inputs import Input, choose, is_loopback, source_names, streams_of


def inputs(*names: str, default: int = 0) -> list[Input]:
    return [
        Input(index=i, name=n, host="ALSA", channels=1, sample_rate=48_000, is_default=i == default)
        for i, n in enumerate(names)
    ]


@pytest.mark.parametrize(
    "name",
    ["Monitor of Built-in Audio", "alsa_output.usb.analog-stereo.monitor", "Stereo Mix (Realtek)",
     "Speakers (Realtek) [Loopback]", "Loopback: PCM (hw:1,0)", "What U Hear", "BlackHole 2ch",
     # The same where the system speaks another language.
     "立体声混音 (Realtek(R) Audio)", "立體聲混音 (Realtek)", "内置音频 模拟立体声 的监视器",
     "Stereomix (Realtek)", "Mixage stéréo (Realtek)", "Mezcla estéreo (Realtek)",
     "Monitor von Internes Audio", "Moniteur de Audio interne", "Monitor de Audio Interno"],
)  # fmt: skip
def test_what_hears_what_is_played_is_recognised(name):
    assert is_loopback(name)
    with pytest.raises(DeviceError, match="far end of a call"):
        choose(inputs(name), "")
    assert choose(inputs(name), "", allow_monitor=True).name == name


@pytest.mark.parametrize("name", ["Jabra Evolve2 40", "USB Audio: - (hw:1,0)", "monitormic", "Mic", "麦克风 (Realtek(R) Audio)",
                                  "显示器麦克风 (HDMI)", "Monitor Delta Mic"])  # fmt: skip
def test_a_microphone_is_not_mistaken_for_one(name):
    assert not is_loopback(name)


def test_the_whole_name_comes_before_a_part_and_the_default_before_others():
    listed = inputs("Headset Pro", "Headset", "Headset", default=2)
    assert choose(listed, "headset").index == 2
    assert choose(listed, "headset pro").index == 0
    assert choose(listed, "").index == 2
    assert choose(inputs("Monitor of Headset", "Headset"), "headset").index == 1


def test_no_input_at_all_says_so():
    with pytest.raises(DeviceError, match=r"no default microphone; .*this machine has none"):
        choose([], "")


SOURCE_OUTPUTS = """Source Output #2
\tDriver: protocol-native.c
\tClient: 9
\tSource: 1
\tProperties:
\t\tmedia.name = "ALSA Capture"
\t\tapplication.process.id = "4211"

Source Output #5
\tDriver: protocol-native.c
\tSource: 0
\tProperties:
\t\tmedia.name = "peak detect"
\t\tapplication.process.id = "421"
"""


def test_only_our_own_streams_tell_what_we_hear():
    """Somebody's level meter may listen to a monitor; that is not us."""
    assert streams_of(4211, SOURCE_OUTPUTS) == {1}
    assert streams_of(421, SOURCE_OUTPUTS) == {0}
    assert streams_of(42, SOURCE_OUTPUTS) == streams_of(42, "") == set()
    listed = "0\tdesk.monitor\tmodule\ts16le 1ch\tIDLE\n1\tmic\tmodule\ts16le 1ch\tRUNNING\n"
    assert source_names(listed) == {0: "desk.monitor", 1: "mic"}
    assert source_names("Connection failure: Connection refused\n") == {}


def test_the_examples_in_the_documentation_are_true():
    assert doctest.testmod(voice_inputs).attempted > 0
    assert doctest.testmod(voice_inputs).failed == 0


def test_only_features_cross_the_pipe():
    for told in (
        Opened(device="Headset", sample_rate=48_000),
        Heard(values={"f0_hz": 120.0}, quality=0.5, reasons=("noise",), age_s=0.1, overruns=1),
        Failed(words="no microphone", kind="missing"),
    ):
        assert from_line(to_line(told)) == told


@pytest.mark.parametrize(
    "line",
    [b"", b"ALSA lib: hello\n", b"[1]\n", b'{"sound": [0.1, 0.2]}\n', b'{"opened": {}}\n',
     b'{"heard": {"values": {"samples": 1.0}, "quality": 1.0}}\n',
     b'{"heard": {"values": {"rr_ms": 800.0}, "quality": 1.0}}\n',
     b'{"heard": {"values": {"f0_hz": [1.0, 2.0]}, "quality": 1.0}}\n',
     b'{"heard": {"values": {}, "quality": 2.0}}\n',
     b'{"heard": {"values": {}, "quality": 1.0}, "failed": {"words": ""}}\n'],
)  # fmt: skip
def test_anything_else_is_refused(line):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reason
        from_line(line)
