"""What the terminal says of an edge: in words, in the person's language, why and not only that."""

from sensors.edge.commands.giving import LINK_WORDS, REASON_WORDS, told
from sensors.edge.consent.permission import Reason
from sensors.messages import Absence
from sensors.spoken import answering_in
from sensors.words import Words

REPORT = {
    "running": True,
    "site": "main",
    "agent": "k7",
    "source": "pc",
    "consent": ["heart", "voice"],
    "stopped_because": ["off_call", "paused"],
    "channels": {"heart": "disconnected", "voice": "withheld", "keyboard": "ok"},
    "troubles": {"heart": "plug an adapter in"},
    "device_of": {"voice": "Headset microphone"},
    "connected": False,
    "refusal": "wrong password",
    "held": 3,
    "dropped": 0,
}


def test_every_state_and_every_reason_is_said_in_words():
    assert set(LINK_WORDS) >= {"ok", *Absence}
    assert set(REASON_WORDS) == set(Reason)
    assert told(REPORT) == [
        "main/k7: running (pc)",
        "  allowed: heart, voice",
        "  stopped: no call is open (microphone only), paused",
        "  heart: not connected",
        "    plug an adapter in",
        "  voice: not read now",
        "    Headset microphone",
        "  keyboard: being read now",
        (
            "  broker: not connected (wrong password); windows kept until the server has them: 3;"
            " dropped: 0"
        ),
    ]


def test_in_chinese_only_names_that_one_types_stay():
    with answering_in(Words("zh_CN")):
        lines = told(REPORT)
    assert lines[2] == "  已停止：没有通话（仅麦克风）、已暂停"  # noqa: RUF001 - Chinese
    assert lines[3] == "  heart: 未连接"
