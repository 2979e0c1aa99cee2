"""When an event happened, though we come to look at it later."""

import pytest

pytest.importorskip("Xlib", reason="python-xlib is there on Linux only")

from sensors.hid.x11_events import Dates


def test_how_late_we_come_changes_no_date():
    dates = Dates()
    dates.at_s(1_000, 50.0)  # the answer to the start, which is fresh
    assert [dates.at_s(ms, 50.5) for ms in (1_100, 1_180, 1_300)] == pytest.approx(
        [50.1, 50.18, 50.3]
    )


def test_what_comes_sooner_says_more_about_the_constant():
    dates = Dates()
    assert dates.at_s(1_000, 50.02) == pytest.approx(50.02)
    assert dates.at_s(2_000, 51.0) == pytest.approx(51.0)
    assert dates.at_s(3_000, 52.2) == pytest.approx(52.0)


def test_the_servers_32_bits_begin_anew():
    dates = Dates()
    dates.at_s(2**32 - 10, 50.0)
    assert dates.at_s(90, 50.1) == pytest.approx(50.1)
    assert dates.at_s(190, 50.25) == pytest.approx(50.2)
