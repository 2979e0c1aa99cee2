"""Cuts the byte stream of a radar into its frames, whatever stands between them; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Read = TypeVar("Read")
Refusal = TypeVar("Refusal")


@dataclass(slots=True)
class Cut(Generic[Read, Refusal]):
    """What one piece of the stream completed.

    Parameters
    ----------
    read : list
        What the whole frames say, oldest first.
    refused : list
        Why what began like a frame is none.
    skipped_bytes : int
        Outside whole frames.
    """

    read: list[Read] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    skipped_bytes: int = 0


def cut(
    pending: bytearray,
    begin: Callable[[bytearray, int], int],
    size_of: Callable[[bytearray, int], int | Refusal | None],
    read: Callable[[bytes], tuple[Read] | Refusal],
) -> Cut[Read, Refusal]:
    """Take whole frames off the front of `pending`; what may be the start of one stays.

    Parameters
    ----------
    pending : bytearray
    begin : callable
        Where the next frame may begin, from a place on; the length of what
        there is if nowhere.
    size_of : callable
        How long the frame that begins there is: None while that is not known
        or not all of it is there, a refusal if none begins there.
    read : callable
        What a frame says, in a tuple; or why it is refused. Then the next may
        begin one byte behind its beginning: a head within noise costs nothing.
    """
    found: Cut[Read, Refusal] = Cut()
    done = read_to = 0
    while True:
        at = begin(pending, done)
        size = size_of(pending, at)
        if size is None:
            break
        end = at + size if isinstance(size, int) else at
        said = read(bytes(pending[at:end])) if isinstance(size, int) else size
        if not isinstance(said, tuple):
            found.refused.append(said)
            done = at + 1
            continue
        found.read.append(said[0])
        found.skipped_bytes += at - read_to
        done = read_to = end
    found.skipped_bytes += at - read_to
    del pending[:at]
    return found
