"""Which headset an agent claimed, kept in their own state folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sensors import codec
from sensors.errors import StateError
from sensors.replacing import replace_durably

FILE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One headset.

    Parameters
    ----------
    address : str
        Bluetooth address; on macOS the UUID that stands for it.
    name : str
        As advertised when it was claimed; only for people to read.
    """

    address: str
    name: str = ""
    file_version: int = FILE_VERSION


class ClaimFile:
    """The claim on disk, readable by its owner only.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Claimed | None:
        """Return the claim, None where there is none.

        Raises
        ------
        StateError
            If the file is damaged or newer: guessing could read another
            person's heart.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"cannot read {self._path}: {error.strerror}") from None
        try:
            claimed = codec.convert(codec.load_json(data), Claimed)
        except ValueError:
            raise StateError(f"{self._path} is damaged; run: wellbeing edge claim") from None
        if claimed.file_version > FILE_VERSION:
            raise StateError(f"{self._path} is of a newer version; upgrade the program")
        return claimed

    def save(self, claimed: Claimed) -> None:
        """Keep `claimed` in place of any other.

        Raises
        ------
        StateError
            If it cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_durably(self._path, codec.dump_json(claimed))
        except OSError as error:
            raise StateError(f"cannot write {self._path}: {error.strerror}; free space") from None

    def forget(self) -> None:
        """Claim nothing any more."""
        self._path.unlink(missing_ok=True)
