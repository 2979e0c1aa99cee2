"""Whether the server works, judged from its figures; no socket, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.watching.figures import Figures

LIVE_WITHIN_S = 30.0
"""The loop goes round four times a second; a search for a faulty message may take 10 s."""

COMMIT_WITHIN_S = 15.0
"""It commits every second; longer, and the disk hangs."""

BEHIND_S = 60.0
"""So long may points wait for a store that takes none; a restart of the store is shorter."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `/health` and `/ready` say.

    Parameters
    ----------
    live : bool
        The loop goes round; if not, only a restart helps.
    ready : bool
        Live, and nothing that it needs is missing.
    troubles : tuple of str
        What is wrong and what to do about it, one line each.
    """

    live: bool
    ready: bool
    troubles: tuple[str, ...] = ()


def judge(figures: Figures | None, now_s: float) -> Health:
    """Return how the server is at `now_s` (monotonic clock [s]).

    A server that still repeats its last steps after a start is live: to kill
    it would only make it begin again.
    """
    if figures is None:
        return Health(live=True, ready=False, troubles=("starting: repeating the last steps",))
    live = now_s - figures.ticked_s <= LIVE_WITHIN_S
    troubles: list[str] = []
    if not live:
        troubles.append(
            f"the loop has stood still for {now_s - figures.ticked_s:.0f} s; restart it"
        )
    if figures.broker_trouble:
        troubles.append(figures.broker_trouble)
    if live and now_s - figures.committed_s > COMMIT_WITHIN_S:
        waited_s = now_s - figures.committed_s
        troubles.append(f"nothing could be committed for {waited_s:.0f} s; check the disk")
    if figures.behind_s > BEHIND_S:
        why = figures.store.trouble or "it answers and takes nothing"
        troubles.append(
            f"the store is behind by {figures.behind_s:.0f} s ({why});"
            f" {figures.spooled_points} points wait on disk, nothing is lost"
        )
    return Health(live=live, ready=not troubles, troubles=tuple(troubles))
