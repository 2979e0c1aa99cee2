"""0x2A37: every combination of flags, and everything that is not a measurement."""

from __future__ import annotations

import itertools
import struct

import pytest
from bumble.profiles.heart_rate_service import HeartRateService
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import DeviceError
from sensors.heart_rate.measurement import Measurement, MeasurementError, parse

COMBINATIONS = list(
    itertools.product(
        [False, True], [None, False, True], [None, 0, 65_535], [(), (1024,), (1, 900, 65_535)]
    )
)


def encode(wide: bool, contact: bool | None, energy: int | None, rr: tuple[int, ...]) -> bytes:
    flags = wide | (bool(contact) << 1) | ((contact is not None) << 2)
    flags |= ((energy is not None) << 3) | (bool(rr) << 4)
    body = struct.pack("<H" if wide else "B", 300 if wide else 61)
    body += b"" if energy is None else struct.pack("<H", energy)
    return bytes([flags]) + body + struct.pack(f"<{len(rr)}H", *rr)


@pytest.mark.parametrize(("wide", "contact", "energy", "rr"), COMBINATIONS)
def test_every_combination_of_flags(wide, contact, energy, rr):
    found = parse(encode(wide, contact, energy, rr))
    assert found == Measurement(
        hr_bpm=300 if wide else 61,
        contact=contact,
        energy_kj=energy,
        rr_ms=tuple(units / 1.024 for units in rr),
    )


@pytest.mark.parametrize(("wide", "contact", "energy", "rr"), COMBINATIONS)
def test_any_cut_short_is_malformed_or_a_shorter_list_of_intervals(wide, contact, energy, rr):
    data = encode(wide, contact, energy, rr)
    fixed = 2 + wide + 2 * (energy is not None)
    for length in range(len(data)):
        if length >= fixed and (length - fixed) % 2 == 0:
            assert len(parse(data[:length]).rr_ms) == (length - fixed) // 2
        else:
            with pytest.raises(MeasurementError, match="heart-rate notification"):
                parse(data[:length])


def test_more_bytes_than_the_flags_allow_is_malformed():
    with pytest.raises(DeviceError, match="2 bytes too many"):
        parse(bytes([0, 60, 1, 2]))


def test_reserved_flags_are_ignored():
    assert parse(bytes([0b1110_0000, 60])) == Measurement(60)


@given(st.binary(max_size=32))
def test_no_bytes_crash_it(data):
    try:
        found = parse(data)
    except MeasurementError:
        return
    assert all(rr >= 0 for rr in found.rr_ms)


@given(
    rate=st.integers(0, 65_535),
    contact=st.sampled_from([None, False, True]),
    energy=st.none() | st.integers(0, 65_535),
    units=st.lists(st.integers(0, 65_535), min_size=1, max_size=9),
)
def test_agrees_with_an_independent_encoder(rate, contact, energy, units):
    sent = HeartRateService.HeartRateMeasurement(rate, contact, energy, [u / 1024 for u in units])
    assert parse(bytes(sent)) == Measurement(
        rate, contact, energy, tuple(u * 1000 / 1024 for u in units)
    )
