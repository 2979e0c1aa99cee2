"""Which channels of a simulated floor are known, how well, and what disturbs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analytics.simulation.person import People
from analytics.simulation.processes import Mask, Random, Singles, drift, spans
from analytics.simulation.scenario import Scenario
from analytics.simulation.workday import BREAK, ON_CALL, READY, WRAP_UP, Workday
from sensors.messages import WINDOW_S

CHANNELS = ("heart", "modules", "keyboard", "pointer", "voice")

DROPOUT_S = (30.0, 360.0)
"""Shortest and mean length of an outage. [s] (assumption)"""

ARTEFACTS_PER_HOUR = 2.0
ARTEFACT_S = (10.0, 20.0)
"""Bad contact of headset or electrode: how often, shortest and mean length (assumption)."""

UNNOTICED = 0.3
"""Share of artefacts that the device's own quality does not show (assumption)."""

ARTEFACT_QUALITY = 0.4
MOVING_QUALITY = 0.25
"""What an artefact that is noticed leaves of quality, and what movement takes from it."""

FROM_BEATS = ("heart_rate_bpm", "log_rmssd", "log_sdnn", "log_rmssd_5min", "log_sdnn_5min")
"""What a device that gives only a rate does not give."""

SETTLE_S = 30.0
"""So long after a walk the module still says that the body moves. [s]"""

PRESENT = {
    "keyboard": {ON_CALL: 0.75, WRAP_UP: 0.95, READY: 0.4},
    "pointer": {ON_CALL: 0.9, WRAP_UP: 0.95, READY: 0.7},
    "voice": {ON_CALL: 0.85},
}
"""Share of the time of each context in which there is enough of it to summarise (assumption).

A minute needs 20 key presses, or two windows with speech; off the phone the
microphone is closed.
"""


@dataclass(slots=True)
class Worn:
    """By channel, each of shape (agents, windows).

    Parameters
    ----------
    known : dict
        By channel; by feature where a feature needs more than its channel.
    quality : dict
    artefact : dict
        What an artefact adds, in spreads; 0 without.
    moving : ndarray of bool
        As the module says it: also while heart and skin settle.
    """

    known: dict[str, Mask]
    quality: dict[str, Singles]
    artefact: dict[str, Singles]
    moving: Mask


def wear(rng: Random, people: People, work: Workday, scenario: Scenario) -> Worn:
    """Return what is known of a block of agents in one shift."""
    shape = work.context.shape
    working = work.context != BREAK  # outside the shift nothing is captured (TRUST T8)
    worn = Worn({}, {}, {}, np.zeros(shape, bool))
    for channel in CHANNELS:
        out = spans(rng, shape, scenario.dropouts_per_hour, *DROPOUT_S) > 0
        known = people.has[channel][:, None] & working & ~out
        if channel in PRESENT:
            known &= _present(rng, channel, work) & ~work.walking
        worn.known[channel] = known
        loose = np.abs(drift(rng, shape, 60.0))
        worn.quality[channel] = np.float32(0.97) - np.float32(0.08) * loose
        worn.artefact[channel] = np.zeros(shape, np.float32)
    beats = worn.known["heart"] & people.has["beats"][:, None]
    worn.known |= dict.fromkeys(FROM_BEATS, beats)
    for channel in ("heart", "modules"):
        _spoil(rng, worn, channel, work)
    _move(worn, work, people)
    return worn


def _present(rng: Random, channel: str, work: Workday) -> Mask:
    """Return when there is enough typing, pointing or speech, in bouts of a minute or so."""
    line = np.full(work.context.shape, -np.inf, np.float32)
    for context, share in PRESENT[channel].items():
        line[work.context == context] = ndtri(share)
    return np.asarray(drift(rng, work.context.shape, 60.0) < line)


def _spoil(rng: Random, worn: Worn, channel: str, work: Workday) -> None:
    """Put artefacts into one channel."""
    bad = spans(rng, work.context.shape, ARTEFACTS_PER_HOUR, *ARTEFACT_S).astype(int)
    count = int(bad.max()) + 1
    size, noticed = rng.standard_normal(count), rng.uniform(size=count) >= UNNOTICED
    size[0], noticed[0] = 0.0, False
    worn.artefact[channel] = size[bad].astype(np.float32)
    worn.quality[channel] *= np.where(noticed[bad], np.float32(ARTEFACT_QUALITY), np.float32(1.0))
    worn.quality[channel] -= np.where(work.walking, np.float32(MOVING_QUALITY), np.float32(0.0))


def _move(worn: Worn, work: Workday, people: People) -> None:
    """Say who moves, or moved within the last half minute, where something can tell."""
    moving = work.walking.copy()
    for back in range(1, round(SETTLE_S / WINDOW_S) + 1):
        moving[:, back:] |= work.walking[:, :-back]
    otherwise = people.has["movement"] & ~people.has["modules"]
    worn.moving[:] = moving & (worn.known["modules"] | otherwise[:, None])
    for quality in worn.quality.values():
        np.clip(quality, 0.05, 1.0, out=quality)
