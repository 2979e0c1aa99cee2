"""What an agent answers: as words, on the broker, and from a command line."""

import asyncio
import sys
from datetime import UTC, datetime

import pytest

from sensors import topics
from sensors.edge.asking.replies import after_reply, after_request, parse_reply, parse_request
from sensors.edge.control.control import ask
from sensors.errors import ConfigurationError, StateError
from sensors.messages import ReplyKind, ReplyMessage, RequestKind, RequestMessage
from tests.rig.waiting import wait_until_async as wait_until
from tests.sensors.edge.commands.test_edge import wellbeing
from tests.sensors.edge.standin import StandIn

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ALERT = "0a1b2c3d4e5f"


def reply(kind: ReplyKind, **values: object) -> ReplyMessage:
    return ReplyMessage(id="reply0001", at=NOW, kind=kind, **values)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("fine", reply(ReplyKind.FINE)),
        ("different_today", reply(ReplyKind.DIFFERENT_TODAY)),
        (f"was_it_so {ALERT} yes", reply(ReplyKind.WAS_IT_SO, alert_id=ALERT, answer=True)),
        (f"did_it_help {ALERT} no", reply(ReplyKind.DID_IT_HELP, alert_id=ALERT, answer=False)),
        ("self_report 7 3", reply(ReplyKind.SELF_REPORT, demanding=7, recovered=3)),
        ("self_report 0 -", reply(ReplyKind.SELF_REPORT, demanding=0)),
        ("self_report - 10", reply(ReplyKind.SELF_REPORT, recovered=10)),
    ],
)
def test_words_become_the_answer_that_they_say(words, expected):
    assert parse_reply(words.split(), "reply0001", NOW) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "unknown answer ''; known: fine"),
        ("great", "unknown answer 'great'; known: fine, different_today"),
        ("fine thanks", "takes no further words; found 'thanks'"),
        (f"was_it_so {ALERT}", "expected an alert's id and yes or no"),
        (f"was_it_so {ALERT} perhaps", "yes or no"),
        ("did_it_help x yes", "alert_id"),
        ("self_report 11 3", "0 to 10"),
        ("self_report 07 3", "0 to 10"),
        ("self_report 7", "0 to 10"),
        ("self_report - -", "at least one"),
    ],
)
def test_wrong_words_are_named_with_what_was_expected(words, said):
    with pytest.raises(ConfigurationError, match=said.replace("(", r"\(")):
        parse_reply(words.split(), "reply0001", NOW)


def test_the_last_alert_is_the_one_that_was_asked_about():
    words = ("was_it_so", "last", "no")
    assert parse_reply(words, "reply0001", NOW, ALERT).alert_id == ALERT
    with pytest.raises(ConfigurationError, match="asked about no alert yet"):
        parse_reply(words, "reply0001", NOW)


@pytest.mark.parametrize("words", [(), ("tea",), ("help_now", "please")])
def test_only_what_can_be_asked_for_is_asked(words):
    with pytest.raises(ConfigurationError, match="known: help_now"):
        parse_request(words)


def test_every_answer_and_request_has_a_sentence_and_erasure_promises_nothing():
    for kind in (*ReplyKind, *RequestKind):
        said = after_reply(kind) if isinstance(kind, ReplyKind) else after_request(kind)
        assert said.startswith("Sent: ")
        assert said.endswith(".")
    for kind in (RequestKind.ERASE, RequestKind.EXPORT):
        assert "you ask for" in after_request(kind)  # asked: not promised, not done


def test_where_nothing_leaves_the_machine_no_answer_speaks_of_others():
    for kind in ReplyKind:
        said = after_reply(kind, is_private=True)
        assert said.startswith("Noted: ")
        assert "supervisor" not in said
        assert "Sent" not in said


@pytest.mark.needs("mosquitto")
async def test_answers_reach_the_broker_once_and_say_what_becomes_of_them(
    mosquitto, run_edge, tmp_path
):
    """With no channel allowed and no device open: T9."""
    control = tmp_path / "state" / "main" / "k7" / "control-pc.json"
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port):
            await wait_until(lambda: server.windows)
            for words in (("fine",), ("self_report", "7", "-")):
                answer = await asyncio.to_thread(ask, control, "reply", words)
                assert answer is not None
                assert answer["text"] == after_reply(ReplyKind(words[0]))
            for what in ("erase", "export"):
                answer = await asyncio.to_thread(ask, control, "ask", (what,))
                assert answer is not None
                assert "you ask for" in answer["text"]
            with pytest.raises(StateError, match="0 to 10"):
                await asyncio.to_thread(ask, control, "reply", ("self_report", "12", "-"))
            # The broker confirmed it; the server hears it a moment later.
            await wait_until(lambda: any(
                isinstance(m, RequestMessage) and m.kind is RequestKind.EXPORT
                for m in list(server.others)
            ))  # fmt: skip
            replies = [m for m in server.others if isinstance(m, ReplyMessage)]
            assert [(m.kind, m.demanding) for m in replies] == [
                (ReplyKind.FINE, None), (ReplyKind.SELF_REPORT, 7),
            ]  # fmt: skip
            asked = [m.kind for m in server.others if isinstance(m, RequestMessage)]
            assert asked == [RequestKind.ERASE, RequestKind.EXPORT]
            where = [topic for topic, _ in server.payloads if topic.endswith("/reply")]
            assert where == [topics.reply("main", "k7")] * 2


def _replies(server: StandIn) -> list[ReplyMessage]:
    return [m for m in list(server.others) if isinstance(m, ReplyMessage)]


@pytest.mark.needs("mosquitto")
async def test_a_person_says_it_once_however_many_edges_run(mosquitto, run_edge, tmp_path):
    """And an agent who once had an edge here does not stand in the way."""
    (tmp_path / "state" / "main" / "a1").mkdir(parents=True)
    (tmp_path / "state" / "main" / "a1" / "consent.json").write_text('{"file_version": 1}')

    async def said(*words: str) -> str:
        ended = await asyncio.to_thread(
            wellbeing, "edge", "--state-dir", tmp_path / "state", *words
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port), run_edge(mosquitto.port, source="session"):
            await wait_until(lambda: {w.source for w in server.windows} == {"pc", "session"})
            assert "main/k7: Sent: you are fine" in await said("fine")
            assert "own report is kept" in await said("report", "--demanding", "7")
            await said("answer", "--so", "--not-helped", "--alert", ALERT)
            assert "main/k7: running" in await said("status")
        # The broker confirmed them; the server hears the last a moment later.
        replies = await wait_until(lambda: _replies(server)[3:] and _replies(server))
        assert [(m.kind, m.answer, m.demanding) for m in replies] == [
            (ReplyKind.FINE, None, None),
            (ReplyKind.SELF_REPORT, None, 7),
            (ReplyKind.WAS_IT_SO, True, None),
            (ReplyKind.DID_IT_HELP, False, None),
        ]


@pytest.mark.skipif(sys.platform == "win32", reason="a process per verb is slow there")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("report",), 2, "give --demanding"),
        (("report", "--demanding", "11"), 2, "less than or equal to 10"),
        (("answer",), 2, "give --so"),
        (("fine",), 7, "no edge is running"),
    ],
)
def test_wrong_use_ends_in_one_line(tmp_path, words, code, said):
    ended = wellbeing("edge", "--agent", "k7", "--state-dir", tmp_path, *words)
    assert (ended.returncode, ended.stderr.count("\n")) == (code, 1), ended.stderr
    assert said in ended.stderr
