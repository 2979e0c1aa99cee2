"""One row per simulated feature: its level, its own restlessness, and what moves it.

All effects add in the feature's unit (levels of skin conductance and heart-rate
variability are logarithms, so they multiply there). The sources stand in the
table of ``README.md``; a number without one is a plain assumption and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.simulation.scenario import Group

DRIFT_S = (1800.0, 180.0, 20.0)
"""Time constants of the three Ornstein-Uhlenbeck processes of every feature. [s]

About a decade apart each: together they approach the 1/f restlessness of heart
rate (Kobayashi and Musha 1982, IEEE Trans. Biomed. Eng. 29:456).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """How one feature behaves; every number in its own unit.

    Parameters
    ----------
    name : str
        As in :data:`~analytics.signals.features.FEATURES`.
    group : Group
    level : (float, float)
        Mean and spread over people.
    drift : (float, float, float)
        Spread of each process of :data:`DRIFT_S`; the fastest holds the error
        of estimating the feature from a minute of readings.
    effect : float
        Response at strength 1.
    lag_s : float
        First-order lag of that response. [s]
    shared : float
        Correlation of its drifts with the state of arousal that all channels share.
    speaking, walking, tone, startle, meal : float
        What a call, a walk, the tone of one call (per spread over calls), a
        brief ordinary arousal and a meal add.
    recover_s : float
        First-order lag of the response to walking. [s]
    clock : float
        Spread over people of the swing over the day.
    day : float
        Spread of the level from day to day.
    offset : float
        What a day-long offset adds.
    low : float
        Values cannot lie below.
    """

    name: str
    group: Group
    level: tuple[float, float]
    drift: tuple[float, float, float]
    effect: float
    lag_s: float = 20.0
    shared: float = 0.0
    speaking: float = 0.0
    walking: float = 0.0
    recover_s: float = 30.0
    tone: float = 0.0
    startle: float = 0.0
    meal: float = 0.0
    clock: float = 0.0
    day: float = 0.0
    offset: float = 0.0
    low: float = -np.inf


HEART = Trait(
    name="heart_rate_bpm", group=Group.HEART, level=(75.0, 8.0), drift=(2.5, 2.0, 2.0),
    effect=14.0, shared=0.5, speaking=2.0, walking=20.0, tone=1.0, startle=4.0, meal=4.0,
    clock=2.0, day=3.0, offset=10.0, low=40.0,
)  # fmt: skip
"""The heart rate itself; a device that gives only a rate smooths and rounds it."""

DEVICE_NOISE_BPM = 1.0
DEVICE_SMOOTH_S = 15.0

TRAITS: tuple[Trait, ...] = (
    Trait(
        name="log_rmssd", group=Group.HEART, level=(3.6, 0.4), drift=(0.15, 0.12, 0.15),
        effect=-0.35, shared=-0.3, speaking=-0.05, walking=-0.5, tone=-0.03, startle=-0.1,
        clock=0.1, day=0.15, offset=-0.3,
    ),
    Trait(
        name="log_sdnn", group=Group.HEART, level=(3.9, 0.35), drift=(0.12, 0.12, 0.15),
        effect=-0.15, shared=-0.2, speaking=0.1, walking=0.2, startle=0.1, clock=0.1, day=0.15,
        offset=-0.2,
    ),
    Trait(
        name="log_eda", group=Group.SKIN, level=(np.log(4.0), 0.5), drift=(0.15, 0.06, 0.04),
        effect=np.log(1.4), lag_s=30.0, shared=0.4, speaking=0.03, walking=0.08, recover_s=120.0,
        tone=0.03, startle=0.08, clock=0.08, day=0.25, offset=0.3, low=np.log(0.05),
    ),
    Trait(
        name="skin_temp_c", group=Group.SKIN, level=(33.0, 0.8), drift=(0.3, 0.08, 0.02),
        effect=-0.3, lag_s=300.0, shared=-0.2, walking=0.1, recover_s=600.0, clock=0.3, day=0.4,
        offset=0.4,
    ),
    Trait(
        name="eda_rises_per_min", group=Group.SKIN, level=(2.0, 0.8), drift=(0.4, 0.5, 1.0),
        effect=3.0, lag_s=30.0, shared=0.3, speaking=0.5, walking=1.0, tone=0.2, startle=1.0,
        clock=0.2, day=0.3, low=0.0,
    ),
    Trait(
        name="movement_g", group=Group.SKIN, level=(0.03, 0.008), drift=(0.005, 0.005, 0.008),
        effect=0.0, walking=0.3, recover_s=5.0, day=0.002, low=0.0,
    ),
    Trait(
        name="dwell_ms", group=Group.DESK, level=(98.0, 12.0), drift=(3.0, 2.5, 2.5),
        effect=-11.0, shared=-0.2, tone=-0.5, clock=1.5, day=2.0, low=20.0,
    ),
    Trait(
        name="flight_ms", group=Group.DESK, level=(140.0, 30.0), drift=(8.0, 8.0, 8.0),
        effect=-20.0, shared=-0.2, tone=-2.0, speaking=10.0, clock=4.0, day=5.0, low=-150.0,
    ),
    Trait(
        name="typing_rate_hz", group=Group.DESK, level=(3.0, 0.5), drift=(0.2, 0.3, 0.35),
        effect=0.35, shared=0.2, speaking=-1.5, clock=0.1, day=0.1, low=0.2,
    ),
    Trait(
        name="correction_ratio", group=Group.DESK, level=(0.05, 0.015),
        drift=(0.008, 0.008, 0.018), effect=0.05, shared=0.2, tone=0.002, clock=0.004, day=0.005,
        low=0.0,
    ),
    Trait(
        name="typing_pause_ratio", group=Group.DESK, level=(0.05, 0.02),
        drift=(0.008, 0.01, 0.02), effect=0.0, speaking=0.02, clock=0.004, day=0.005, low=0.0,
    ),
    Trait(
        name="pointer_speed_px_s", group=Group.DESK, level=(550.0, 130.0),
        drift=(60.0, 60.0, 70.0), effect=120.0, shared=0.2, tone=10.0, clock=25.0, day=30.0,
        low=5.0,
    ),
    Trait(
        name="click_rate_hz", group=Group.DESK, level=(0.09, 0.03), drift=(0.015, 0.02, 0.03),
        effect=0.0, shared=0.1, clock=0.005, day=0.01, low=0.0,
    ),
    Trait(
        name="f0_st", group=Group.VOICE, level=(8.0, 5.0), drift=(0.35, 0.25, 0.35), effect=1.6,
        shared=0.3, tone=0.4, startle=0.3, clock=0.3, day=0.4,
    ),
    Trait(
        name="loudness_db", group=Group.VOICE, level=(-32.0, 4.0), drift=(0.7, 0.5, 0.6),
        effect=2.5, shared=0.3, tone=0.8, startle=0.5, clock=0.5, day=1.0,
    ),
    Trait(
        name="speech_rate_hz", group=Group.VOICE, level=(4.2, 0.4), drift=(0.15, 0.15, 0.17),
        effect=0.4, shared=0.2, tone=0.1, clock=0.1, day=0.1, low=0.5,
    ),
    Trait(
        name="pause_ratio", group=Group.VOICE, level=(0.25, 0.05), drift=(0.02, 0.02, 0.03),
        effect=-0.05, shared=-0.2, tone=-0.01, clock=0.01, day=0.02, low=0.0,
    ),
    Trait(
        name="jitter_local", group=Group.VOICE, level=(0.012, 0.002),
        drift=(0.0003, 0.0003, 0.0007), effect=0.0, tone=0.0001, clock=0.0002, day=0.0003,
        low=0.001,
    ),
)  # fmt: skip
"""All features but the heart rates and what is made from others (:data:`SLOWED`).

A feature that is named nowhere stays unknown on a simulated floor.
"""

SLOWED = {"log_rmssd_5min": "log_rmssd", "log_sdnn_5min": "log_sdnn"}
SLOWED_S = 120.0
"""Features over five minutes: those over one, with this much more lag. [s]"""

SETTLING = (-0.3, 900.0)
"""Skin conductance after the electrodes are put on: below its level, and time constant.

As a logarithm, and in seconds: sweat and contact build up over the first
quarter of an hour (both figures are assumptions).
"""
