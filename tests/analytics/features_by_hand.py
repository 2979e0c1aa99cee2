"""A slow, obvious oracle of the features: one agent, plain Python, message by message.

Which beats were measured, and which follow one another, is asked of
``analytics.hrv``, which has an oracle of its own.
"""

import math
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, median, variance
from zlib import crc32

from analytics import hrv
from analytics.signals.features import FEATURES, PART_CHANNEL
from sensors.signals import Channel

PATIENCE_S = {"heart": 15, "keyboard": 60, "pointer": 60, "voice": 60, "modules": 15}


def gives(channel, section):
    """Return whether a section is more than an idle or useless sensor."""
    if channel == "keyboard":
        return section.quality > 0 and section.key_presses > 0
    if channel == "pointer":
        moved = section.pointer_speed_px_s is not None or section.pointer_clicks > 0
        return section.quality > 0 and moved
    return section.quality > 0


def plausible(channel, section):
    """Return `section` without what no person does; ``None`` where nothing of it is left."""
    if section is None:
        return None
    if channel == "keyboard":
        held = section.key_presses >= 25 and section.key_corrections >= section.key_presses
        if section.quality > 0 and (held or section.key_presses > 75):
            return None
        if section.dwell_ms is not None and section.dwell_ms > 1000:
            return replace(section, dwell_ms=None)
    if channel == "pointer":
        if section.quality > 0 and section.pointer_clicks > 75:
            return None
        if section.pointer_speed_px_s is not None and section.pointer_speed_px_s > 20_000:
            return replace(section, pointer_speed_px_s=None)
    too_loud = channel == "voice" and section.loudness_db is not None and section.loudness_db > -6
    return None if too_loud and section.quality > 0 else section


class ByHand:
    """All that is kept about one agent."""

    def __init__(self):
        self.windows = {}  # number -> channel -> section
        self.temperature = {}  # number -> skin temperature
        self.settled = {}  # number -> list of (rr_ms, step_ms or None)
        self.settled_until = -math.inf
        self.beats = []  # (time, rr_ms)
        self.holder = {}
        self.active_at = {}

    def take(self, message):
        """Return ``{feature: (value, quality)}`` after `message`, and who moves."""
        end = message.window_end_at.timestamp()
        number = math.floor(end / 5)
        taken = {}
        for channel in Channel:
            section = message.section(channel)
            section = plausible(channel, section)
            if section is not None and self._is_ours(channel, section, message.source, end):
                taken[channel] = section
        self._store(number, taken)
        if "heart" in taken and taken["heart"].quality > 0:
            self._add_beats(taken["heart"], end)
        return self._features(end, number)

    @property
    def sources(self):
        return [crc32(self.holder[c].encode()) if c in self.holder else 0 for c in Channel]

    def _is_ours(self, channel, section, source, end):
        held = self.holder.get(channel)
        silent = end - self.active_at.get(channel, -math.inf) > PATIENCE_S[channel]
        active = gives(channel, section)
        if held is not None and held != source:
            if not (active and silent):
                return False
            self._forget(channel)
        self.holder[channel] = source
        if active:
            self.active_at[channel] = max(end, self.active_at.get(channel, -math.inf))
        return True

    def _forget(self, channel):
        for sections in self.windows.values():
            sections.pop(channel, None)
        if channel == "heart":
            self.beats, self.settled_until = [], -math.inf
            self.settled = {number: [] for number in self.settled}
        if channel == "modules":
            self.temperature = dict.fromkeys(self.temperature)

    def _store(self, number, taken):
        if make_room(self.windows, number, 16):
            sections = self.windows.setdefault(number, {})
            for channel, section in taken.items():
                if channel not in sections or section.quality > sections[channel].quality:
                    sections[channel] = section
        if make_room(self.temperature, number, 64):
            make_room(self.settled, number, 64)
            self.settled.setdefault(number, [])
            self.temperature.setdefault(number, None)
            warm = get(taken, "modules", "skin_temp_c")
            if warm is not None:
                self.temperature[number] = warm

    def _add_beats(self, heart, end):
        newest = self.beats[-1][0] if self.beats else -math.inf
        times = [end + offset / 1000 for offset in heart.beat_offset_ms]
        pairs = list(zip(times, heart.rr_ms, strict=True))[-64:]  # no more are taken at once
        self.beats += [(t, rr) for t, rr in pairs if t > newest]
        self.beats = self.beats[-192:]

    def _features(self, end, number):
        found = {f.name: (math.nan, 0.0) for f in FEATURES}
        minute = [self.windows.get(n, {}) for n in range(number - 11, number + 1)]
        self._body(minute, found)
        hands(minute, found)
        for name in ("f0_st", "loudness_db", "speech_rate_hz", "pause_ratio", "jitter_local"):
            put_median(found, name, known(minute, "voice", name), 12, least=2)
        self._slope(number, found)
        self._rhythm(end, number, found)
        moves = [a for a in known(minute[-6:], "modules", "acc_rms_g") if a > 0.12]
        return with_quality(found, minute), bool(moves)

    def _body(self, minute, found):
        fresh, short = minute[-3:], minute[-6:]
        for name, raw, channel, span, windows in (
            ("device_rate_bpm", "hr_bpm", "heart", short, 6),
            ("skin_temp_c", "skin_temp_c", "modules", fresh, 3),
        ):
            if raw == "hr_bpm" and is_flat(known(minute, channel, raw)):
                continue
            if known(fresh, channel, raw):
                put_median(found, name, known(span, channel, raw), windows)
        skin = known(fresh, "modules", "log_eda")
        if skin and not is_flat(known(minute, "modules", "log_eda")):
            middle = median(skin)
            near = [min(max(x, middle - 0.4), middle + 0.4) for x in skin]
            found["log_eda"] = (fmean(near), len(skin) / 3)
        if known(fresh, "modules", "acc_rms_g"):
            moved = known(short, "modules", "acc_rms_g")
            found["movement_g"] = (fmean(moved), len(moved) / 6)
        eda = [get(sections, "modules", "eda_us") for sections in minute]
        pairs = [(a, b) for a, b in pairwise(eda) if a and b]
        if len(pairs) >= 6:
            rate = 12 * sum(b - a >= 0.05 for a, b in pairs) / len(pairs)
            found["eda_rises_per_min"] = (rate, len(pairs) / 11)

    def _slope(self, number, found):
        points = [
            (n * 5 / 60, self.temperature[n])
            for n in range(number - 59, number + 1)
            if self.temperature.get(n) is not None
        ]
        if len(points) < 30 or math.isnan(found["skin_temp_c"][0]):
            return
        middle = fmean(t for t, _ in points)
        top = sum((t - middle) * v for t, v in points)
        slope = top / sum((t - middle) ** 2 for t, _ in points)
        found["skin_temp_slope_c_min"] = (slope, len(points) / 60)

    def _rhythm(self, end, number, found):
        if not self.beats or end - self.beats[-1][0] >= 60:
            return
        # no more are looked at than a minute needs
        within = sum(t > end - 60 for t, _ in self.beats)
        newest = self.beats[-96:] if within <= 96 else self.beats
        beats = [(t, rr) for t, rr in newest if end - 120 < t <= end + 5]
        if beats:
            good = measured(beats)
            self._rate([rr for _, rr, _ in good], found)
            self._minute([one for one in good if one[0] > end - 60], found)
            self._settle(beats, good, end, number)
        used = [one for n in range(number - 59, number + 1) for one in self.settled.get(n, [])]
        steps = [step for _, step in used if step is not None]
        if len(steps) >= 100 and any(steps):
            expected = 300_000 / fmean(rr for rr, _ in used)
            rmssd = math.sqrt(fmean(step**2 for step in steps))
            sdnn = math.sqrt(variance(rr for rr, _ in used))
            found["log_rmssd_5min"] = (math.log(rmssd), len(steps) / expected)
            found["log_sdnn_5min"] = (math.log(sdnn), len(used) / expected)

    def _rate(self, good, found):
        if len(good) >= 8:
            newest = good[-40:]
            middle = median(newest)
            expected = min(40, 60_000 / middle)
            found["heart_rate_bpm"] = (60_000 / middle, len(newest) / expected)

    def _minute(self, good, found):
        steps = [step for _, _, step in good if step is not None]
        if len(steps) >= 20 and any(steps):
            intervals = [rr for _, rr, _ in good]
            expected = 60_000 / fmean(intervals)
            rmssd = math.sqrt(fmean(step**2 for step in steps))
            found["log_rmssd"] = (math.log(rmssd), len(steps) / expected)
            found["log_sdnn"] = (math.log(math.sqrt(variance(intervals))), len(good) / expected)

    def _settle(self, beats, good, end, number):
        ripe = [t for t, _ in beats if t <= end - 10]
        if number not in self.settled or not ripe:  # a window older than the record
            return
        self.settled[number] += [
            (rr, step)
            for t, rr, step in good
            if self.settled_until < t <= end - 10 and t > end - 60
        ]
        self.settled_until = max(self.settled_until, ripe[-1])


def measured(beats):
    """Return (time, rr_ms, step_ms or None) of the beats that were measured."""
    made = hrv.correct([[rr for _, rr in beats]], beat_s=[[t for t, _ in beats]])
    rr, times = made.rr_ms[0], made.beat_s[0]
    return [
        (times[i], rr[i], rr[i] - rr[i - 1] if made.follows[0, i] else None)
        for i in range(len(rr))
        if made.measured[0, i]
    ]


def make_room(kept, number, slots):
    """Drop what shares the slot of `number`; return whether `number` may be kept."""
    sharing = [n for n in kept if n % slots == number % slots and n != number]
    if any(n > number for n in sharing):
        return False
    for n in sharing:
        del kept[n]
    return True


def get(sections, channel, name):
    """Return one value of a section, ``None`` where it is unknown."""
    section = sections.get(channel)
    if section is None or section.quality <= 0:
        return None
    if name == "f0_st":
        return None if section.f0_hz is None else 12 * math.log2(section.f0_hz / 100)
    if name == "log_eda":
        eda = section.values.get("eda_us")
        return math.log(eda) if eda else None
    return section.values.get(name) if channel == "modules" else getattr(section, name)


def known(windows, channel, name):
    values = [get(sections, channel, name) for sections in windows]
    return [value for value in values if value is not None]


def is_flat(values):
    return len(values) == 12 and max(values) == min(values)


def put_median(found, feature, values, windows, least=1):
    if len(values) >= least:
        found[feature] = (median(values), len(values) / windows)


def hands(minute, found):
    presses, clicks = (
        known(minute, "keyboard", "key_presses"),
        known(minute, "pointer", "pointer_clicks"),
    )
    covered = len(presses) / 12
    if presses:
        found["typing_rate_hz"] = (sum(presses) / (5 * len(presses)), covered)
    if sum(presses) >= 20:
        for feature, raw in (
            ("correction_ratio", "key_corrections"), ("typing_pause_ratio", "key_pauses"),
        ):  # fmt: skip
            found[feature] = (sum(known(minute, "keyboard", raw)) / sum(presses), covered)
        for name in ("dwell_ms", "flight_ms"):
            if values := known(minute, "keyboard", name):
                found[name] = (median(values), covered)
    speeds = known(minute, "pointer", "pointer_speed_px_s")
    if len(speeds) >= 3:
        found["pointer_speed_px_s"] = (median(speeds), len(clicks) / 12)
    if clicks:
        found["click_rate_hz"] = (sum(clicks) / (5 * len(clicks)), len(clicks) / 12)


def with_quality(found, minute):
    """Turn coverage into quality: the sections' own times the root of the coverage."""
    result = {}
    for feature in FEATURES:
        channel = PART_CHANNEL[feature.part]
        sections = [s[channel] for s in minute if channel in s]
        if channel == "voice":
            sections = [s for s in sections if s.loudness_db is not None and s.quality > 0]
        value, covered = found[feature.name]
        own = fmean(s.quality for s in sections) if sections else 0.0
        is_known = not math.isnan(value)
        result[feature.name] = (value, own * math.sqrt(min(covered, 1)) if is_known else 0.0)
    return result
