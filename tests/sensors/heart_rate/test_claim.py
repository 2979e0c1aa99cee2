"""Whose headset is it: decided only when there is no doubt."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.heart_rate.claim import OFF_AT_MOST_S, Claim, Verdict


def play(
    off: dict[str, Iterable[tuple[float, float]]], until_s: float = 40.0
) -> tuple[Claim, list[Verdict]]:
    """Return the claim after a time in which each headset reports once a second.

    `off` gives, by address, the stretches in which it was off.
    """
    claim, verdicts = Claim(off), []
    for tick in range(int(until_s)):
        for number, (address, stretches) in enumerate(off.items()):
            now_s = tick + 0.1 * number
            claim.take(address, not any(a <= now_s < b for a, b in stretches), now_s)
        verdict = claim.verdict(tick + 0.9)
        if not verdicts or verdict != verdicts[-1]:
            verdicts.append(verdict)
    return claim, verdicts


def test_the_one_that_was_taken_off_is_claimed():
    claim, verdicts = play({"A": [], "B": [(10, 13)], "C": []})
    assert claim.claimed == "B"
    assert verdicts == [Verdict.WATCHING, Verdict.OFF, Verdict.CLAIMED]


def test_two_at_once_are_nobodys_and_it_is_asked_again():
    claim, verdicts = play({"A": [(10, 13), (25, 28)], "B": [(11, 14)]})
    assert verdicts == [
        Verdict.WATCHING, Verdict.OFF, Verdict.SEVERAL, Verdict.WATCHING, Verdict.OFF, Verdict.CLAIMED
    ]  # fmt: skip
    assert claim.claimed == "A"


def test_a_loose_contact_is_no_claim():
    claim, _ = play({"A": [(10, 11)], "B": []})
    assert not claim.claimed


def test_whoever_leaves_for_good_claims_nothing():
    claim, _ = play({"A": [(10, 100)], "B": []})
    assert not claim.claimed


def test_a_neighbour_who_leaves_only_delays_it():
    claim, _ = play({"A": [(9, 100)], "B": [(10, 13)]})
    assert claim.claimed == "B"


def test_one_on_the_desk_that_is_put_on_is_not_claimed():
    claim, _ = play({"A": [(0, 10)], "B": []})
    assert not claim.claimed


def test_a_dropped_link_is_no_dropped_contact():
    claim = Claim(["A", "B"])
    for at_s in range(5):
        claim.take("A", True, at_s)
        claim.take("B", True, at_s)
    claim.take("B", False, 5.0)
    claim.lose("B")
    claim.take("B", True, 8.0)
    assert claim.verdict(20.0) is Verdict.WATCHING


def test_devices_without_contact_bits_are_named_and_hopeless_alone():
    claim = Claim(["A", "B"])
    claim.take("A", None, 0.0)
    assert claim.verdict(0.0) is Verdict.GATHERING
    claim.lose("B")
    assert claim.verdict(0.0) is Verdict.HOPELESS
    assert claim.cannot_tell == ["A"]


def test_nothing_is_decided_before_everybody_spoke():
    claim = Claim(["A", "B"])
    for at_s, contact in ((0, True), (5, False), (8, True)):
        claim.take("A", contact, at_s)
    assert claim.verdict(20.0) is Verdict.GATHERING


@pytest.mark.parametrize("count", [2, 6])
@given(data=st.data())
def test_whatever_happens_only_one_that_was_off_and_back_is_claimed(count, data):
    names = "ABCDEF"[:count]
    claim, now_s = Claim(names), 0.0
    history: dict[str, list[tuple[float, bool | None]]] = {name: [] for name in names}
    for _ in range(data.draw(st.integers(0, 60))):
        now_s += data.draw(st.floats(0.0, 3.0))
        name = data.draw(st.sampled_from(names))
        contact = data.draw(st.sampled_from([True, False, None]))
        claim.take(name, contact, now_s)
        history[name].append((now_s, contact))
        if claim.verdict(now_s) is Verdict.CLAIMED:
            said = [
                contact
                for at, contact in history[claim.claimed]
                if at >= now_s - OFF_AT_MOST_S - 60
            ]
            assert False in said
            assert True in said[said.index(False) :]
            return
