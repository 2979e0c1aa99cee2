"""The budget against a plain list of everything that was ever told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.alerts.budget import Budget

_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_PEOPLE = ("ana", "bo", "cy")


class EverythingTold:
    """Never forgets and counts afresh each time."""

    def __init__(self, ceiling):
        self.ceiling = ceiling
        self.told = []

    def room(self, alert_id, supervisors, now):
        for supervisor in supervisors:
            others = {a for a, who, at in self.told if who == supervisor and now - at < _HOUR}
            if len(others - {alert_id}) < self.ceiling:
                return supervisor
        return None


@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 600, 1799, 1800, 3599, 3600]),  # seconds since the last
            st.sampled_from("abcdefg"),
            st.permutations(_PEOPLE),
            st.integers(0, 3),
            st.booleans(),  # a colleague hands on, whatever the budget says
        ),
        max_size=40,
    ),
)
@settings(deadline=None, max_examples=200)
def test_room_is_what_counting_everything_says(ceiling, events):
    budget, plain, now = Budget(ceiling), EverythingTold(ceiling), _START
    for after_s, alert_id, order, n, handed_on in events:
        now += timedelta(seconds=after_s)
        supervisors = tuple(order[:n])
        found = budget.room(alert_id, supervisors, now)
        assert found == plain.room(alert_id, supervisors, now)
        to = supervisors[0] if handed_on and supervisors else found
        if to is not None:
            budget.tell(alert_id, to, now)
            plain.told.append((alert_id, to, now))
        restarted = Budget(ceiling)
        restarted.restore(budget.to_plain())
        budget = restarted
