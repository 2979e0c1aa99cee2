import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sensors.edge.outbox.outbox import Key
from sensors.edge.sending.plan import Pace, SendPlan


def keys(count: int, first: int = 0, run: str = "old00000") -> list[Key]:
    return [Key(run, first + n) for n in range(count)]


def send(plan: SendPlan, now_s: float, *, confirm: bool = True) -> list[Key]:
    due = plan.due(now_s)
    for key in due:
        plan.sent(key, now_s)
        if confirm:
            plan.confirmed(key)
    return due


def test_live_windows_go_first_and_the_backlog_at_its_rate():
    plan = SendPlan(Pace(backlog_per_s=2, in_flight=10), keys(100))
    plan.added(Key("new00000", 0), 0.0)
    assert send(plan, 0.0) == [Key("new00000", 0), Key("old00000", 0)]
    later = [send(plan, s / 10) for s in range(1, 101)]
    assert sum(map(len, later)) == 20
    assert [key.seq for batch in later for key in batch] == list(range(1, 21))


def test_no_more_in_flight_than_allowed():
    plan = SendPlan(Pace(in_flight=3, backlog_per_s=math.inf), keys(10))
    first = send(plan, 0.0, confirm=False)
    assert [key.seq for key in first] == [0, 1, 2]
    assert send(plan, 1.0) == []
    plan.confirmed(first[0])
    assert [key.seq for key in send(plan, 2.0)] == [3]


def test_what_could_not_be_handed_over_is_due_again_in_order():
    plan = SendPlan(Pace(in_flight=10, backlog_per_s=math.inf), keys(3))
    plan.added(Key("new00000", 0), 0.0)
    due = plan.due(0.0)
    plan.sent(due[0], 0.0)
    plan.not_sent(due[1:])  # the connection went after the first
    assert plan.unsent == 3
    assert plan.due(1.0) == due[1:]
    assert plan.due(2.0) == []


def test_what_was_stored_meanwhile_is_not_due_again():
    plan = SendPlan(Pace(backlog_per_s=math.inf), keys(3))
    due = plan.due(0.0)
    plan.released(due[:1], 0.0)
    plan.not_sent(due)
    assert plan.due(1.0) == due[1:]


def test_what_waited_without_a_broker_becomes_backlog():
    plan = SendPlan(Pace(backlog_per_s=1))
    for n in range(100):
        plan.added(Key("new00000", n), 5.0 * n)
    first = send(plan, 500.0)  # 480 ago at most 15 s: 97, 98, 99
    assert [key.seq for key in first] == [97, 98, 99, 0]


def test_confirmed_is_not_stored_so_it_is_sent_again_once_the_server_is_heard():
    plan = SendPlan(Pace(resend_after_s=10, backlog_per_s=100), keys(8))
    assert len(send(plan, 0.0)) + len(send(plan, 1.0)) == 8
    plan.released(keys(2), 2.0)
    assert send(plan, 9.0) == []
    assert [key.seq for key in send(plan, 12.0)] == [2, 3, 4, 5, 6, 7]
    plan.released(keys(8), 13.0)
    assert send(plan, 60.0) == []


def test_a_silent_server_is_probed_with_the_oldest_ever_more_rarely():
    plan = SendPlan(Pace(resend_after_s=10, backlog_per_s=math.inf, probe_max_s=60), keys(50))
    while plan.unsent:
        send(plan, 0.0)
    probes = [(s, batch) for s in range(1, 600) if (batch := send(plan, float(s)))]
    assert all([key.seq for key in batch] == [0, 1, 2, 3, 4] for _, batch in probes)
    pauses = [after[0] - before[0] for before, after in pairwise(probes)]
    assert pauses[:3] == [10, 20, 40]
    assert set(pauses[3:]) == {60}
    plan.connected(600.0)
    assert send(plan, 660.0)


def test_after_a_probe_is_answered_all_the_rest_follows():
    plan = SendPlan(Pace(resend_after_s=10, backlog_per_s=math.inf), keys(50))
    while plan.unsent:
        send(plan, 0.0)
    assert len(send(plan, 10.0)) == 5
    plan.released(keys(5), 11.0)
    again = [key for s in range(11, 20) for key in send(plan, float(s))]
    assert sorted(again) == keys(45, 5)


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "due", "store", "lose", "connect"]), st.integers(0, 30)),
        max_size=60,
    )
)
def test_whatever_happens_everything_arrives_in_the_end(events):
    """A broker that confirms and loses, and a server that comes and goes."""
    plan = SendPlan(Pace(in_flight=5, backlog_per_s=50, resend_after_s=10), keys(6))
    held = dict.fromkeys(keys(6))
    server: set[Key] = set()
    now_s, added = 0.0, 0

    def store() -> None:
        for run in ("old00000", "new00000"):
            done = -1
            while Key(run, done + 1) in server:
                done += 1
            gone = [key for key in held if key.run == run and key.seq <= done]
            for key in gone:
                del held[key]
            if gone:
                plan.released(gone, now_s)

    for event, amount in events:
        now_s += amount
        if event == "add":
            key = Key("new00000", added)
            added += 1
            held[key] = None
            plan.added(key, now_s)
        elif event == "connect":
            plan.connected(now_s)
        elif event == "store":
            store()
        else:
            sent = send(plan, now_s)
            assert len(sent) <= 5
            assert set(sent) <= set(held)
            server |= set(sent) if event == "due" else set()
    for _ in range(200):
        now_s += 5.0
        server |= set(send(plan, now_s))
        store()
    assert not held
