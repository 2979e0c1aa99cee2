"""The requirements on a Bluetooth headset, as one table; functions over what was seen; pure.

The same table stands in hardware.md, *How to pass check*; a test keeps them equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np

from firmware_bridge.conformance.heart_trace import HeartTrace, is_beating
from firmware_bridge.conformance.verdict import (
    Requirement,
    Verdict,
    by_faults,
    failed,
    not_applicable,
    passed,
)
from sensors.heart_rate.details import parse_battery
from sensors.heart_rate.measurement import Measurement
from sensors.signals import SIGNALS

RECONNECT_S = 10.0
"""A headset that was let go is found and connected again within this. [s]"""

_NOTIFY_S = 1.5  # every second, and half a second for beats and radio to fall into step
_SUM_SHARE, _SUM_S = 0.1, 1.0
_AGREE_SHARE = 0.1
_LEAST_INTERVALS = 20
_GRIDS_MS = (50.0, 25.0, 20.0, 10.0)
_GRID_MISS_MS = 0.6  # 1/1024 s beside a whole millisecond
_NOTHING = "no notification came that could be read"


def advertised(trace: HeartTrace) -> Verdict:
    """Judge the advertisement."""
    if trace.is_advertised is None:
        return not_applicable("the system was connected to it already; disconnect it first")
    if trace.is_advertised:
        return passed(f"0x180D is advertised by {trace.name or 'a headset without a name'}")
    return failed("its advertisement does not name 0x180D")


def service(trace: HeartTrace) -> Verdict:
    """Judge whether there is a heart rate at all."""
    if trace.is_offered:
        return passed("0x2A37 notifies")
    return failed("no 0x2A37 that notifies is offered")


def bonding(trace: HeartTrace) -> Verdict:
    """Judge whether it can be paired."""
    if trace.pairing is None:
        return not_applicable("--unpaired: pairing was not tried")
    return failed(trace.pairing) if trace.pairing else passed("paired; the link is encrypted")


def stays_connected(trace: HeartTrace) -> Verdict:
    """Judge whether the link holds."""
    if not trace.is_offered:
        return not_applicable("nothing could be listened to")
    from_s, to_s = trace.listening_s
    if trace.dropped_s is not None:
        return failed(f"it ended the link after {trace.dropped_s - from_s:.1f} s")
    return passed(f"connected for {to_s - from_s:.0f} s")


def notifications(trace: HeartTrace) -> Verdict:
    """Judge how often it notifies."""
    if not trace.is_offered:
        return not_applicable("nothing could be listened to")
    times = [one.at_s for one in trace.notified]
    if not times:
        return failed("none came")
    from_s, to_s = trace.listening_s
    gaps = [after - before for before, after in pairwise([from_s, *times, to_s])]
    longest_s = max(gaps)
    words = f"{len(times)} came, at most {longest_s:.1f} s apart"
    return failed(words) if longest_s > _NOTIFY_S + trace.slack_s else passed(words)


def measurement(trace: HeartTrace) -> Verdict:
    """Judge whether every notification can be read."""
    if not trace.notified:
        return not_applicable("no notification came")
    faults = [f"at {one.at_s:.1f} s: {one.error}" for one in trace.notified if one.error]
    return by_faults(faults, f"{len(trace.notified)} notifications read")


def rr_present(trace: HeartTrace) -> Verdict:
    """Judge whether beats are sent, and not only a rate."""
    if not trace.worn:
        return not_applicable("it was not worn" if trace.measured else _NOTHING)
    with_rr = sum(bool(m.rr_ms) for _, m in trace.worn)
    words = f"intervals in {with_rr} of {len(trace.worn)} notifications"
    # Below 60 a minute there are seconds without a beat.
    return passed(words) if with_rr > 0.4 * len(trace.worn) else failed(words)


def rr_complete(trace: HeartTrace) -> Verdict:
    """Judge whether no beat is left out, or sent twice."""
    span_s = sum_s = 0.0
    for beating in _stretches(trace):
        span_s += beating[-1][0] - beating[0][0]
        sum_s += sum(sum(m.rr_ms) for _, m in beating[1:]) / 1000
    if not span_s or not _has_intervals(trace):
        return not_applicable("too few intervals came")
    words = f"intervals of {sum_s:.1f} s in {span_s:.1f} s"
    off_s = abs(sum_s - span_s)
    return failed(words) if off_s > _SUM_SHARE * span_s + _SUM_S + trace.slack_s else passed(words)


def _stretches(trace: HeartTrace) -> Iterator[list[tuple[float, Measurement]]]:
    """Yield notifications with intervals, from each putting on to the next taking off."""
    for is_worn, stretch in groupby(trace.measured, lambda one: is_beating(one[1])):
        beating = [(at_s, m) for at_s, m in stretch if is_worn and m.rr_ms]
        if beating:
            yield beating


def _has_intervals(trace: HeartTrace) -> bool:
    return sum(len(m.rr_ms) for _, m in trace.worn) >= _LEAST_INTERVALS


def rr_resolution(trace: HeartTrace) -> Verdict:
    """Judge whether intervals are measured finely, and are not made from the rate."""
    if not _has_intervals(trace):
        return not_applicable("too few intervals came")
    rr_ms = np.array([ms for _, m in trace.worn for ms in m.rr_ms])
    for grid_ms in _GRIDS_MS:
        if np.all(np.abs(rr_ms - grid_ms * np.round(rr_ms / grid_ms)) <= _GRID_MISS_MS):
            return failed(f"all {len(rr_ms)} intervals are multiples of {grid_ms:g} ms")
    made = [abs(ms - 60_000 / m.hr_bpm) <= 1.0 for _, m in trace.worn for ms in m.rr_ms]
    if all(made):
        return failed(f"all {len(rr_ms)} intervals are 60 s over the rate")
    return passed(f"{len(rr_ms)} intervals from {rr_ms.min():.0f} to {rr_ms.max():.0f} ms")


def plausible(trace: HeartTrace) -> Verdict:
    """Judge whether rates and intervals are those of a heart, and agree."""
    if not trace.worn:
        return not_applicable("it was not worn" if trace.measured else _NOTHING)
    hr, rr = SIGNALS["hr_bpm"], SIGNALS["rr_ms"]
    faults = [
        f"{m.hr_bpm} a minute at {at_s:.1f} s" for at_s, m in trace.worn if not hr.accepts(m.hr_bpm)
    ]
    faults += [
        f"an interval of {ms:.0f} ms at {at_s:.1f} s"
        for at_s, m in trace.worn
        for ms in m.rr_ms
        if not rr.accepts(ms)
    ]
    rate = float(np.median([m.hr_bpm for _, m in trace.worn]))
    words = f"{rate:g} a minute"
    intervals = [ms for _, m in trace.worn for ms in m.rr_ms]
    if len(intervals) >= _LEAST_INTERVALS:
        from_rr = 60_000 / float(np.median(intervals))
        words += f", {from_rr:.0f} by the intervals"
        if abs(from_rr / rate - 1) > _AGREE_SHARE:
            faults.append(words)
    return by_faults(faults, words)


def contact_bits(trace: HeartTrace) -> Verdict:
    """Judge whether it says if it is worn."""
    if not trace.measured:
        return not_applicable(_NOTHING)
    unknown = sum(m.contact is None for _, m in trace.measured)
    if unknown == len(trace.measured):
        return not_applicable(
            "it cannot tell (flag bits 0x): that it is not worn will be inferred, and nobody can "
            "claim it by taking it off; set bit 2 always if it can tell"
        )
    words = f"said in {len(trace.measured) - unknown} of {len(trace.measured)} notifications"
    return failed(words) if unknown else passed(words)


def information(trace: HeartTrace) -> Verdict:
    """Judge whether it says what it is."""
    said = {"maker": trace.maker, "model": trace.model, "firmware": trace.firmware}
    missing = [name for name, text in said.items() if not text]
    if missing:
        return failed(f"not said: {', '.join(missing)}")
    return passed(" ".join(said.values()))


def battery_level(trace: HeartTrace) -> Verdict:
    """Judge the battery level."""
    if trace.battery is None:
        return failed("no 0x2A19 that can be read is offered")
    percent = parse_battery(trace.battery)
    return (
        failed(f"its value is {trace.battery.hex()}") if percent is None else passed(f"{percent} %")
    )


def reconnect(trace: HeartTrace) -> Verdict:
    """Judge whether it comes back after the host let go."""
    if not trace.is_reconnect_tried:
        return not_applicable("not tried")
    limit_s = RECONNECT_S + trace.slack_s
    if trace.found_again_s is None:
        return failed(f"not found again within {limit_s:.0f} s")
    if trace.connected_again_s is None:
        return failed(f"found after {trace.found_again_s:.1f} s, and could not be connected")
    if trace.notified_again_s is None and trace.is_offered:
        return failed(f"connected after {trace.connected_again_s:.1f} s, and did not notify")
    last_s = trace.notified_again_s or trace.connected_again_s
    words = f"found after {trace.found_again_s:.1f} s, all there after {last_s:.1f} s"
    return failed(words) if trace.connected_again_s > limit_s else passed(words)


_ROWS: Sequence[tuple[str, str, str, Callable[[HeartTrace], Verdict]]] = (
    ("advertised", "The Heart Rate Service (0x180D) stands in the advertisement.", "put the UUID into the advertising data, not only into the scan response", advertised),
    ("service", "The Heart Rate Service offers the measurement 0x2A37, which notifies.", "switch its heart-rate broadcast on; add the service to the firmware", service),
    ("bonding", "It can be paired, and the link is encrypted then.", "put it into pairing mode and confirm what the system asks; support LE Secure Connections with bonding", bonding),
    ("stays-connected", "The link holds while it is listened to.", "look at its supply, its watchdog and the distance; keep the link also while no beat is found", stays_connected),
    ("notifications", "A notification comes at least every second.", "notify by a timer, also when there is no new beat", notifications),
    ("measurement", "Each notification is a Heart Rate Measurement with the length its flags promise.", "set the flags of what is sent, and send what the flags promise", measurement),
    ("rr-present", "Notifications carry RR intervals, not only a rate.", "send each interval in the next notification (flag bit 4)", rr_present),
    ("rr-complete", "RR intervals add up to the time that passes: no beat is left out or sent twice.", "send all intervals since the last notification, oldest first, several if need be", rr_complete),
    ("rr-resolution", "RR intervals are measured in 1/1024 s, and not rounded or made from the rate.", "time the beats by a clock of 1 kHz or more, and interpolate the pulse", rr_resolution),
    ("plausible", "Rate and intervals are those of a heart, and agree with each other.", "check the unit of the intervals: 1/1024 s, not milliseconds", plausible),
    ("contact-bits", "A headset that can tell says in each notification whether it touches skin (flag bits 1 and 2).", "set bit 2 always, bit 1 while it is worn", contact_bits),
    ("information", "The Device Information Service says maker, model and firmware.", "add 0x2A29, 0x2A24 and 0x2A26", information),
    ("battery-level", "The Battery Service says how full the battery is, 0 to 100 %.", "add 0x180F with 0x2A19, readable", battery_level),
    ("reconnect", "Let go of, it advertises again with the same address and is connected within 10 s.", "advertise again on every disconnection; do not change the address of a bonded device", reconnect),
)  # fmt: skip

HEART_REQUIREMENTS: tuple[Requirement[HeartTrace], ...] = tuple(Requirement(*row) for row in _ROWS)
"""Every requirement on a Bluetooth headset, in the order in which they are reported."""

HEART_NOT_TESTED: tuple[tuple[str, str], ...] = (
    (
        "same-address",
        "Its address stays the same over days, or its identity key is given at pairing.",
    ),
    (
        "contact-true",
        "The contact bits follow the skin at once, and without contact no rate is sent.",
    ),
    ("constant-delay", "Beats are held back by a constant time, at most 4 s."),
    ("none-made-up", "Intervals are neither smoothed nor made up for beats that were missed."),
    ("one-host", "It takes one connection at a time."),
    ("falls-silent", "It stops advertising when it was taken off for a minute."),
)
"""Requirements that the host cannot see; for the maker to make sure of."""
