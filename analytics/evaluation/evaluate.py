"""How good the score is on labelled recordings, by the same code that runs live.

Each recording is a new agent with the shipped prior. Its windows go through
the very features, detector and episodes of the service; nothing here knows a
label before everything is scored. Definitions stand beside each function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.run import Progress, StackedTape, run
from analytics.scoring.measured import blank_unmeasured, given
from analytics.signals.windows import FeatureBatch, FeatureWindows
from sensors.errors import RecordingError
from sensors.messages import WINDOW_S, ReadingMessage
from sensors.recording import Recording, windows

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SCORED_FROM_S = 300.0
"""The score counts from here on: a new agent needs some minutes. [s]"""

TAIL_S = 60.0
"""An alert that begins this soon after a stretch still found it. [s]"""

MATCHED_S = 300.0
"""Length of the unstrained time before and after that a stretch is matched with. [s]"""

STRAINED, CALM = 1, 0

_EPOCH = datetime(2026, 1, 5, tzinfo=UTC)  # any fixed moment: results do not depend on it
_RESAMPLES = 2000
_SEED = 20_260_105


@dataclass(slots=True)
class Trace:
    """One recording as features: what the service would see of it.

    Parameters
    ----------
    name : str
    t_s : ndarray of float64, shape (n,)
        Window ends, in recording time. [s]
    batch : FeatureBatch
        Of all windows, one row per window.
    label : ndarray of int8, shape (n,)
        1 strained, 0 not, -1 not labelled, of the moment the window ends.
    stretches : list of (float, float)
        Start and end of each strained stretch that is scored at all. [s]
    skipped : mapping
        Why rows were not used (``out_of_range``, ``repeated``) to how many of
        each signal.
    """

    name: str
    t_s: Floats
    batch: FeatureBatch
    label: NDArray[np.int8]
    stretches: list[tuple[float, float]]
    skipped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def counted(self) -> Mask:
        """Windows that are scored and labelled."""
        return np.asarray((self.t_s >= SCORED_FROM_S) & (self.label >= CALM))


@dataclass(slots=True)
class Judgement:
    """What the detector said about one recording at one threshold.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        NaN where there was none.
    alerts_s : ndarray of float64
        When alerts began, in recording time. [s]
    """

    score: Floats
    alerts_s: Floats


@dataclass(frozen=True, slots=True)
class Tally:
    """Alerts of one recording against its labels.

    Parameters
    ----------
    hits : tuple of bool
        Whether each stretch was found, in their order.
    false_alerts : int
    right : int
        Alerts that began in a stretch or its tail; several may find one.
    delays_s : tuple of float
        From the start of each found stretch to its first alert. [s]
    calm_hours : float
        Scored time of label 0 outside tails. [h]
    """

    hits: tuple[bool, ...]
    false_alerts: int
    right: int
    delays_s: tuple[float, ...]
    calm_hours: float

    @property
    def stretches(self) -> int:
        """Strained stretches there were."""
        return len(self.hits)

    @property
    def found(self) -> int:
        """Stretches that were found."""
        return sum(self.hits)


def trace(recording: Recording) -> Trace:
    """Return the features of every window of `recording`; see :func:`traces`."""
    return traces([recording])[0]


def traces(recordings: Sequence[Recording], progress: Progress | None = None) -> list[Trace]:
    """Return the features of every window of each recording.

    All are read side by side, each a row: the same numbers as one by one, sooner.

    Parameters
    ----------
    recordings : sequence of Recording
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Raises
    ------
    RecordingError
        If one has no label that counts; see :func:`check_labels`.
    """
    for one in recordings:
        check_labels(one)
    sent = [_messages(one) for one in recordings]
    found = []
    for one, messages in zip(recordings, sent, strict=True):
        t_s: Floats = WINDOW_S * np.arange(1, len(messages) + 1, dtype=np.float64)
        found.append((t_s, one.labels.at(t_s)))
    return [
        Trace(one.name, t_s, batch, label, _strained(one, t_s), _skipped(one))
        for one, (t_s, label), batch in zip(
            recordings, found, _features(sent, progress), strict=True
        )
    ]


def _messages(recording: Recording) -> list[ReadingMessage]:
    return list(
        windows(
            recording, site="evaluate", agent="a", source="file", run="evaluate0", start_at=_EPOCH
        )
    )


def check_labels(recording: Recording) -> None:
    """Refuse a recording on which nothing can be judged.

    One kind of label is enough: calm time counts false alerts, strained time
    counts what is found; only the AUC needs both.

    Raises
    ------
    RecordingError
        If no window is labelled from :data:`SCORED_FROM_S` on.
    """
    ends_s = WINDOW_S * np.arange(1, recording.duration_s // WINDOW_S + 1)
    if not (recording.labels.at(ends_s[ends_s >= SCORED_FROM_S]) >= CALM).any():
        raise RecordingError(
            f"{recording.name}: no time labelled 0 (not strained) or 1 (strained) after the first "
            f"{SCORED_FROM_S:g} s, so nothing can be judged on it; add a row t_s,label,0 or "
            "t_s,label,1, or leave the recording out"
        )


def _skipped(recording: Recording) -> dict[str, dict[str, int]]:
    found = {"out_of_range": recording.skipped, "repeated": recording.repeated}
    return {why: counts for why, counts in found.items() if counts}


def _strained(recording: Recording, t_s: Floats) -> list[tuple[float, float]]:
    """Return the strained stretches in which a scored window ends; others nobody could find."""
    scored = t_s[t_s >= SCORED_FROM_S]
    return [
        (start_s, end_s)
        for start_s, end_s, kind in recording.labels.stretches()
        if kind == STRAINED and ((scored >= start_s) & (scored < end_s)).any()
    ]


def _features(
    sent: Sequence[Sequence[ReadingMessage]], progress: Progress | None
) -> Iterator[FeatureBatch]:
    """Yield the features of each agent's messages, one row per message."""
    lengths = np.array([len(messages) for messages in sent], np.intp)
    longest = int(lengths.max(initial=0))
    ring = FeatureWindows()
    ring.ensure(len(sent))
    rows, parts = [], []
    for window in range(longest):
        rows.append(np.flatnonzero(lengths > window))
        parts.append(ring.extract(rows[-1], [sent[row][window] for row in rows[-1].tolist()]))
        if progress is not None:
            progress((window + 1) / longest)
    together, owner = FeatureBatch.join(parts), np.concatenate(rows)
    for row, messages in enumerate(sent):
        batch = together.take(owner == row)
        measured_s = np.where(given(messages), batch.at_s[:, None], -np.inf)
        blank_unmeasured(batch, np.maximum.accumulate(measured_s, axis=0))
        yield batch


def judge(
    traces: Sequence[Trace],
    thresholds: Sequence[float],
    progress: Progress | None = None,
) -> list[list[Judgement]]:
    """Run the detector over all recordings at all thresholds at once.

    Parameters
    ----------
    traces : sequence of Trace
    thresholds : sequence of float
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    list of list of Judgement
        ``[recording][threshold]``.
    """
    n_rows, tape = len(traces) * len(thresholds), StackedTape.of([one.batch for one in traces])
    score = np.full((n_rows, int(tape.lengths.max())), np.nan)
    began = np.zeros(score.shape, dtype=bool)
    for one in run(tape, thresholds, progress):
        score[one.rows, one.window] = one.scores.score
        began[one.rows, one.window] = one.episodes.began
    return [
        [
            Judgement(score[r, : len(t_s)], t_s[began[r, : len(t_s)]])
            for r in range(i * len(thresholds), (i + 1) * len(thresholds))
        ]
        for i, t_s in enumerate(one.t_s for one in traces)
    ]


def auc(score: Floats, strained: Mask) -> float:
    """Return the chance that a strained moment scores higher than a calm one.

    Ties count half (Mann and Whitney 1947). NaN if either kind is missing.
    """
    n, m = int(strained.sum()), int((~strained).sum())
    if not n or not m:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = last - (counts - 1) / 2
    return float((rank[inverse[strained]].sum() - n * (n + 1) / 2) / (n * m))


def auc_of(one: Trace, score: Floats) -> float:
    """Return the AUC within one recording; a missing score counts as 0."""
    counted = one.counted
    return auc(np.nan_to_num(score[counted]), one.label[counted] == STRAINED)


def auc_time_matched(one: Trace, score: Floats) -> float:
    """Return the AUC in which elapsed time says nothing.

    Each strained stretch is compared with only the unstrained 300 s before it
    and the 60-360 s after it; mean of both, then over stretches.
    """
    filled = np.nan_to_num(score)
    found = []
    for start_s, end_s in one.stretches:
        sides = []
        inside = one.counted & (one.label == STRAINED) & _between(one.t_s, start_s, end_s)
        for low_s, high_s in (
            (start_s - MATCHED_S, start_s),
            (end_s + TAIL_S, end_s + TAIL_S + MATCHED_S),
        ):
            calm = one.counted & (one.label == CALM) & _between(one.t_s, low_s, high_s)
            either = inside | calm
            sides.append(auc(filled[either], inside[either]))
        found.append(_mean(sides))
    return _mean(found)


def _mean(values: Sequence[float]) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _between(t_s: Floats, low_s: float, high_s: float) -> Mask:
    return np.asarray((t_s > low_s) & (t_s <= high_s))


def tally(one: Trace, alerts_s: Floats) -> Tally:
    """Return what the alerts of one recording found and what they disturbed.

    Found: an alert begins between a stretch's start and 60 s after its end.
    False: it begins in label 0 outside that tail.
    """
    hits: list[bool] = []
    delays, right = [], 0
    quiet = one.counted & (one.label == CALM)
    disturbed = np.isin(one.t_s, alerts_s)
    for start_s, end_s in one.stretches:
        quiet &= ~_between(one.t_s, start_s, end_s + TAIL_S)
        inside = alerts_s[_between(alerts_s, start_s, end_s + TAIL_S)]
        right += len(inside)
        hits.append(inside.size > 0)
        if inside.size:
            delays.append(float(inside[0] - start_s))
    return Tally(
        hits=tuple(hits),
        false_alerts=int((disturbed & quiet).sum()),
        right=right,
        delays_s=tuple(delays),
        calm_hours=float(quiet.sum() * WINDOW_S / 3600.0),
    )


def chance_found(traces: Sequence[Trace], alerts_per_hour: float) -> float:
    """Return the share of stretches that alerts at random would find; NaN if there is none.

    Parameters
    ----------
    traces : sequence of Trace
    alerts_per_hour : float
        How often such alerts begin. [1/h]
    """
    lengths_s = np.array([end - start + TAIL_S for one in traces for start, end in one.stretches])
    return chance(lengths_s, alerts_per_hour)


def chance(lengths_s: Floats, alerts_per_hour: float) -> float:
    """Return the share of stretches of these lengths that alerts at random would find."""
    found = 1.0 - np.exp(-alerts_per_hour * lengths_s / 3600.0)
    return float(np.mean(found)) if found.size else float("nan")


def bootstrap_ci(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean over people: percentile bootstrap, fixed seed.

    NaN for fewer than two people: one says nothing about how people differ.
    """
    known = [value for value in values if np.isfinite(value)]
    return bootstrap_ratio_ci(known, [1.0] * len(known))


def bootstrap_ratio_ci(parts: Sequence[float], wholes: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval over people of the sum of `parts` over the sum of `wholes`.

    Percentile bootstrap with a fixed seed, one part and one whole per person;
    NaN where fewer than two people have anything to divide by.
    """
    part, whole = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    if np.count_nonzero(whole) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, part.size, (_RESAMPLES, part.size))
    below = whole[drawn].sum(axis=1)
    ratios = part[drawn].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)
