"""The operating curve as a picture: found against false alerts, beside chance."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

from sensors.errors import ConfigurationError, MissingExtraError

ENDINGS = (".svg", ".png")


def check_plot(path: Path) -> None:
    """Refuse what cannot be drawn before anything takes long.

    Raises
    ------
    ConfigurationError
        If the name does not end in .svg or .png, is a folder's, or lies in one
        that does not exist or cannot be written into.
    MissingExtraError
        If matplotlib is not installed.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ConfigurationError(f"--plot {path}: expected a name that ends in .svg or .png")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"--plot {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigurationError(f"--plot {path}: {path} is a folder; name a file")
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise ConfigurationError(f"--plot {path}: {error.strerror or error}") from None
    try:
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise MissingExtraError(
            f"--plot: {error.name} is not installed; run: pip install 'agent-wellbeing[plots]'"
        ) from None


def draw_curve(overall: dict[str, Any], path: Path) -> None:
    """Draw the operating curve of `overall` into `path`.

    Parameters
    ----------
    overall : dict
        As `wellbeing evaluate --json` prints it, of recordings or simulated.
    path : Path
        Ends in .svg or .png; what stands there is replaced.

    Raises
    ------
    ConfigurationError
        If the file cannot be written.
    """
    matplotlib = importlib.import_module("matplotlib")
    figures = importlib.import_module("matplotlib.figure")
    # The same figures give the same file, byte for byte.
    with matplotlib.rc_context({"svg.hashsalt": "wellbeing", "svg.fonttype": "none"}):
        figure = figures.Figure(figsize=(7.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        _lines(axes, overall)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as error:
            raise ConfigurationError(f"--plot {path}: {error.strerror or error}") from error


def _lines(axes: Any, overall: dict[str, Any]) -> None:
    curve = _points(overall)
    rates = [point[0] for point in curve]
    version = overall["detector_version"]
    axes.plot(rates, [point[1] for point in curve], "o-", color="#1f4e79", ms=4, label="found")
    known = [(rate, chance) for rate, _, chance in curve if chance is not None]
    if known:
        axes.plot(*zip(*known, strict=True), ":", color="#555555", label="alerts at random")
    rate, found = overall["false_alerts_per_hour"], overall["found_fraction"]
    if rate is not None and found is not None:
        label = f"production, team of {overall['team_size']}"
        axes.plot([rate], [found], "D", color="#b03a2e", ms=8, label=label)
    # Rates span decades, and none at all must have a place on the axis too.
    axes.set_xscale("symlog", linthresh=0.01)
    axes.set_xlim(left=0.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("false alerts per hour of one agent")
    axes.set_ylabel("share of strained stretches found")
    axes.set_title(f"{_what(overall)}; detector {version}", fontsize=10)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right", frameon=False)


def _points(overall: dict[str, Any]) -> list[tuple[float, float, float | None]]:
    """Return rate, found and chance of every threshold where both are known, by rate."""
    return sorted(
        (
            point["false_alerts_per_hour"],
            point["found_fraction"],
            point["chance_found_fraction"],
        )
        for point in overall["operating_curve"]
        if point["false_alerts_per_hour"] is not None and point["found_fraction"] is not None
    )


def has_curve(overall: dict[str, Any]) -> bool:
    """Return whether there is anything to draw: found and false alerts both measured."""
    return bool(_points(overall))


def _what(overall: dict[str, Any]) -> str:
    if not overall.get("simulated"):
        return f"{overall['recordings']} recordings"
    return (
        f"simulated floor, {overall['scenario']}: {overall['agents']} agents, {overall['shifts']} x "
        f"{overall['hours_per_shift']:g} h, strength {overall['strength']:g}, "
        f"reacting {overall['react']:g}"
    )
