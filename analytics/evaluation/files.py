"""Which files to judge: folders opened, each file once, every recording under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analytics.evaluation.evaluate import check_labels
from sensors.errors import ConfigurationError, RecordingError
from sensors.recording import Recording, read_recording
from sensors.recording_rows import ENDINGS


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A recording that cannot be judged.

    Parameters
    ----------
    name : str
    reason : str
        One line that names the file and the remedy.
    """

    name: str
    reason: str


def chosen(files: Sequence[Path]) -> list[Path]:
    """Return the files named, with folders opened, each once, in a fixed order.

    Of a folder, names that begin with a dot are not looked at: systems keep
    their own notes about a file in them.

    Raises
    ------
    ConfigurationError
        If a name is neither file nor folder, or a folder holds no recording.
    """
    found: dict[Path, Path] = {}
    for path in files:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if _is_recording(one))
            if not inside:
                raise ConfigurationError(f"{path} holds no recording; expected *.csv or *.csv.gz")
        elif path.exists():
            inside = [path]
        else:
            raise ConfigurationError(f"there is no file or folder {path}")
        for one in inside:
            found.setdefault(one.resolve(), one)
    return list(found.values())


def _is_recording(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower().endswith(ENDINGS)


def names(paths: Sequence[Path]) -> list[str]:
    """Return what each recording is called: as short as tells it from the others."""
    forms = [list(_forms(path)) for path in paths]
    taken = Counter(form for one in forms for form in set(one))
    return [next(form for form in one if taken[form] == 1 or form == one[-1]) for one in forms]


def _forms(path: Path) -> Iterator[str]:
    """Yield the names that the file at `path` may have, shortest first."""
    whole = path.resolve()
    ending = next((known for known in ENDINGS if whole.name.lower().endswith(known)), "")
    stem = whole.name[: len(whole.name) - len(ending)]
    yield stem
    yield f"{whole.parent.name}/{stem}"
    yield f"{whole.parent.name}/{whole.name}"
    yield str(whole)


def read_all(named: Sequence[tuple[Path, str]]) -> tuple[list[Recording], list[LeftOut]]:
    """Return the recordings that can be judged, and why the others cannot."""
    found: list[Recording] = []
    left_out: list[LeftOut] = []
    for path, name in named:
        try:
            recording = replace(read_recording(path), name=name)
            check_labels(recording)
        except RecordingError as error:
            left_out.append(LeftOut(name, str(error)))
        else:
            found.append(recording)
    return found, left_out
