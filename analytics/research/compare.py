"""How a signal differs between weeks (or days, hours): a mixed model, and its picture.

The only importer of statsmodels and of matplotlib's figures here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from analytics.research.catalogue import Variable
from analytics.research.table import load
from sensors.errors import InsufficientDataError

_Z_95 = 1.959963984540054  # normal quantile of 0.975


class By(StrEnum):
    """What is compared, by the agent's own clock."""

    WEEK = "week"
    DAY = "day"
    WEEKDAY = "weekday"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Level:
    """One week (day, hour): people, person-days, and what the model says of them.

    `difference`, `low` and `high` compare with the first level: a share for
    what is compared as a logarithm, else in the signal's unit; ``None`` for
    the first. `p` is of this comparison by itself, `p_holm` of it as one of
    all that were made with the first level. [1]_

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure",
       Scand. J. Statist., vol. 6, no. 2, pp. 65-70, 1979.
    """

    label: str
    people: int
    days: int
    mean: float
    mean_low: float
    mean_high: float
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What :func:`compare` found.

    Parameters
    ----------
    signal : Variable
    is_ratio : bool
        The model is of the logarithm: means are geometric, differences shares.
    levels : tuple of Level
    hidden : tuple of str
        Levels of too few people: nothing is told of them (TRUST T16).
    """

    signal: Variable
    by: By
    is_ratio: bool
    levels: tuple[Level, ...]
    hidden: tuple[str, ...]

    @property
    def unit(self) -> str:
        """Unit of the means."""
        return self.signal.unit.removeprefix("ln(").removesuffix(")")


def compare(frame: Any, signal: Variable, by: By, smallest: int) -> Comparison:
    """Return how `signal` differs between the levels of `by`.

    A linear mixed model of each person's daily means, with a random intercept
    for each person: people differ more from each other than weeks do. [1]_
    Figures in ms are compared as logarithms, as is usual for them, and what is a
    logarithm already is turned back. [2]_

    Parameters
    ----------
    frame : DataFrame
        From :meth:`~analytics.research.Study.frame`, of `signal` alone.
    signal : Variable
    by : By
    smallest : int
        Levels with fewer people are left out.

    Raises
    ------
    InsufficientDataError
        If fewer than two levels are left, or the model finds no answer.
    MissingExtraError
        If pandas or statsmodels are not installed.

    References
    ----------
    .. [1] N. M. Laird and J. H. Ware, "Random-effects models for longitudinal
       data", Biometrics, vol. 38, no. 4, pp. 963-974, 1982.
    .. [2] D. Nunan et al., "A quantitative systematic review of normal values
       for short-term heart rate variability in healthy adults", Pacing Clin.
       Electrophysiol., vol. 33, pp. 1407-1417, 2010.
    """
    is_log = signal.unit.startswith("ln(")
    is_ratio = is_log or (signal.unit == "ms" and signal.low == 0.0)
    days = _daily(frame, by, take_log=is_ratio and not is_log)
    people = days.groupby("level")["agent"].nunique()
    hidden = tuple(people.index[people < smallest])
    days = days[~days["level"].isin(hidden)]
    labels = sorted(set(days["level"]))
    if len(labels) < 2:
        left_out = f" ({len(hidden)} of fewer than {smallest} people are not counted)"
        raise InsufficientDataError(
            f"{len(labels)} {by} to compare{left_out if hidden else ''}; expected two or more"
        )
    beta, covariance, p = _fit(days, labels)
    levels = tuple(
        _level(i, label, days, (beta, covariance, p), is_ratio=is_ratio)
        for i, label in enumerate(labels)
    )
    adjusted = holm([level.p for level in levels if level.p is not None])
    corrected = tuple(
        level if level.p is None else replace(level, p_holm=next(adjusted)) for level in levels
    )
    return Comparison(signal, by, is_ratio, corrected, hidden)


def holm(p: Sequence[float]) -> Iterator[float]:
    """Yield each of `p`, in its order, corrected for there being several of them.

    Examples
    --------
    >>> list(holm([0.01, 0.04, 0.03]))
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=lambda at: p[at])
    found = [0.0] * len(p)
    largest = 0.0
    for rank, at in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[at]))
        found[at] = largest
    return iter(found)


def _daily(frame: Any, by: By, *, take_log: bool) -> Any:
    """Return each person's mean of each day (and hour), with its level."""
    known = frame.dropna(subset=["local_at", "value"])
    if take_log:
        known = known[known["value"] > 0]
    local = known["local_at"]
    level = {
        By.WEEK: lambda: (local - load("pandas").to_timedelta(local.dt.day_of_week, unit="D")).dt.strftime("%Y-%m-%d"),
        By.DAY: lambda: local.dt.strftime("%Y-%m-%d"),
        By.WEEKDAY: lambda: local.dt.strftime("%u %a"),
        By.HOUR: lambda: local.dt.strftime("%H:00"),
    }[by]()  # fmt: skip
    values = np.log(known["value"]) if take_log else known["value"]
    table = known.assign(level=level, day=local.dt.date, y=values)
    found: Any = table.groupby(["agent", "level", "day"], as_index=False)["y"].mean()
    return found


def _fit(days: Any, labels: Sequence[str]) -> tuple[Any, Any, Any]:
    """Return coefficients, their covariance and p of the levels: intercept, then differences."""
    mixed = load("statsmodels.regression.mixed_linear_model").MixedLM
    tools = load("statsmodels.tools.sm_exceptions")
    design = np.array([[1.0, *(level == label for label in labels[1:])] for level in days["level"]])
    model = mixed(days["y"].to_numpy(), design, groups=days["agent"].to_numpy())
    with warnings.catch_warnings():
        # People who differ less from each other than days do are no fault; what
        # counts is asked below. Powell's method needs no gradient, which fails there.
        warnings.simplefilter("ignore", tools.ModelWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            found = model.fit(reml=True, method=["powell", "bfgs"])
            is_found = found.converged and np.isfinite(np.asarray(found.bse_fe)).all()
        except np.linalg.LinAlgError:
            is_found = False
    if not is_found:
        raise InsufficientDataError(
            "the mixed model finds no answer in so few values; ask for more days or people"
        )
    k = len(labels)
    covariance = np.asarray(found.cov_params())[:k, :k]
    return np.asarray(found.fe_params), covariance, np.asarray(found.pvalues)[:k]


def _level(i: int, label: str, days: Any, fit: tuple[Any, Any, Any], *, is_ratio: bool) -> Level:
    beta, covariance, p = fit
    weights = np.zeros(len(beta))
    weights[0] = 1.0
    weights[i] = 1.0
    mean = float(weights @ beta)
    wide = _Z_95 * float(np.sqrt(weights @ covariance @ weights))
    turn = np.exp if is_ratio else float
    own = days[days["level"] == label]
    difference: tuple[float | None, ...] = (None, None, None, None)
    if i:
        at, error = float(beta[i]), _Z_95 * float(np.sqrt(covariance[i, i]))
        bounds = (at, at - error, at + error)
        difference = (*(float(np.expm1(x)) if is_ratio else x for x in bounds), float(p[i]))
    return Level(
        label, int(own["agent"].nunique()), len(own),
        float(turn(mean)), float(turn(mean - wide)), float(turn(mean + wide)), *difference,
    )  # fmt: skip


def plot(found: Comparison, path: Path, title: str) -> None:
    """Draw the levels with their 95 % intervals into `path`; its ending says the format.

    No person's own line: a figure leaves the study (TRUST T16).
    """
    load("matplotlib").use("Agg")
    pyplot = load("matplotlib.pyplot")
    labels = [level.label for level in found.levels]
    mean = np.array([level.mean for level in found.levels])
    reach = np.array(
        [[lev.mean - lev.mean_low for lev in found.levels], [lev.mean_high - lev.mean for lev in found.levels]]
    )  # fmt: skip
    figure, axes = pyplot.subplots(figsize=(max(5.0, 1.8 * len(labels)), 4.0), layout="constrained")
    axes.errorbar(range(len(labels)), mean, reach, fmt="o", capsize=4, color="#1f4e79")
    axes.set_xticks(range(len(labels)), [_tick(level, found) for level in found.levels])
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.set_xlabel({By.WEEK: "week from"}.get(found.by, str(found.by)))
    axes.set_ylabel(f"{found.signal.name.removeprefix('log_')} [{found.unit}]")
    axes.set_title(title.replace("; ", "\n"), fontsize="small")
    figure.savefig(path)
    pyplot.close(figure)


def _tick(level: Level, found: Comparison) -> str:
    """Return the label, and below it what the model is about: the difference within people."""
    if level.difference is None or level.low is None or level.high is None:
        return level.label
    scale, unit = (100.0, " %") if found.is_ratio else (1.0, "")
    low, high = scale * level.low, scale * level.high
    return f"{level.label}\n{scale * level.difference:+.3g}{unit} ({low:+.3g} to {high:+.3g})"


def _digits(means: Iterable[float]) -> int:
    """Return places after the point: one, of shares and the like three that say something."""
    largest = max(map(abs, means))
    return 1 if largest >= 1 or largest == 0 else 2 - math.floor(math.log10(largest))


def lines(found: Comparison) -> list[str]:
    """Return the comparison as text."""
    percent = found.is_ratio
    unit = "%" if percent else found.unit
    head = [str(found.by), "people", "days", f"mean [{found.unit}]"]
    several = sum(level.p is not None for level in found.levels) > 1
    corrected = ["p (Holm)"] if several else []
    rows = [[*head, f"difference [{unit}]", "95 % interval", "p", *corrected]]
    scale = 100.0 if percent else 1.0
    digits = _digits(level.mean for level in found.levels)
    places = 1 if percent else digits
    for level in found.levels:
        row = [level.label, str(level.people), str(level.days), f"{level.mean:.{digits}f}"]
        if level.difference is None or level.low is None or level.high is None or level.p is None:
            rows.append([*row, "-", "-", "-", *("-" for _ in corrected)])
            continue
        p = [_p(level.p), *(_p(level.p_holm or 0.0) for _ in corrected)]
        interval = f"{scale * level.low:+.{places}f} to {scale * level.high:+.{places}f}"
        rows.append([*row, f"{scale * level.difference:+.{places}f}", interval, *p])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    text = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]  # fmt: skip
    text += [f"{label}: too few people to show" for label in found.hidden]
    if several:
        n = sum(level.p is not None for level in found.levels)
        text.append(f"p: of each alone; p (Holm): as one of {n} comparisons, intervals are not")
    return text


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
