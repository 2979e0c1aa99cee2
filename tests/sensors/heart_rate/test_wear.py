"""Not worn: said by the contact bits, or shown by data that no heart gives."""

from __future__ import annotations

import pytest

from sensors.heart_rate.measurement import Measurement
from sensors.heart_rate.wear import EMPTY_NOTIFICATIONS, FLAT_BEATS, FLAT_RATES, WearCheck
from sensors.messages import Absence


def states(*measurements: Measurement) -> list[str]:
    check = WearCheck()
    return [check.judge(measurement) for measurement in measurements]


@pytest.mark.parametrize("contact", [None, True])
@pytest.mark.parametrize(
    ("one", "after"),
    [
        pytest.param(Measurement(0), EMPTY_NOTIFICATIONS, id="no rate, no beats"),
        pytest.param(Measurement(0, rr_ms=(50.0,)), EMPTY_NOTIFICATIONS, id="impossible beats"),
        pytest.param(Measurement(300), EMPTY_NOTIFICATIONS, id="impossible rate"),
        pytest.param(Measurement(70, rr_ms=(857.0,)), FLAT_BEATS, id="flat beats"),
        pytest.param(Measurement(70), FLAT_RATES, id="flat rate"),
    ],
)
def test_implausible_data_means_not_worn_and_poor_where_the_device_claims_skin(one, after, contact):
    given = [one._replace(contact=contact)] * (after + 1)
    seen = states(*given)
    assert seen[: after - 1] == ["ok"] * (after - 1)
    assert set(seen[after - 1 :]) == {Absence.POOR if contact else Absence.NOT_WORN}


def test_the_contact_bits_have_the_last_word_against_wearing():
    assert states(Measurement(72, contact=False, rr_ms=(800.0,))) == [Absence.NOT_WORN]


def test_one_different_beat_is_a_heart_again():
    flat = [Measurement(70, rr_ms=(857.0,))] * FLAT_BEATS
    assert states(*flat, Measurement(70, rr_ms=(850.0,)))[-2:] == [Absence.NOT_WORN, "ok"]


def test_a_paced_heart_is_worn():
    steady = [Measurement(60, rr_ms=(1000.0 + (beat % 7 == 0) / 1.024,)) for beat in range(500)]
    assert set(states(*steady)) == {"ok"}


def test_a_rate_that_stands_still_while_beats_vary_is_worn():
    steady = [Measurement(60, rr_ms=(1000.0 + beat % 9,)) for beat in range(2 * FLAT_RATES)]
    assert set(states(*steady)) == {"ok"}
