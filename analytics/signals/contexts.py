"""What every agent is doing, as telephony says, and for how long that is believed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sensors.codec import convert
from sensors.messages import ContextMessage, ContextState
from sensors.vocabulary import CONTEXT_BELIEVED

BELIEVED = CONTEXT_BELIEVED
"""So long here as on the agent's machine. A level learnt in a call that never
ends would be nobody's usual."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What an agent does, and until when that is believed."""

    state: ContextState
    until_at: datetime


class Contexts:
    """The newest word about each agent."""

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}
        self.states: dict[str, ContextState] = {}  # of those of whom anything is known now

    def hear(self, agent: str, message: ContextMessage, now: datetime) -> None:
        """Take in what telephony says of `agent`.

        It is believed from when it was said: what a broker retains is told
        again at every start, however old. A clock that runs ahead is not.
        """
        self._said[agent] = _Said(message.state, min(message.at, now) + BELIEVED)
        self.states[agent] = message.state

    def step(self, now: datetime) -> None:
        """Forget what was said too long ago."""
        for agent in [agent for agent, said in self._said.items() if now >= said.until_at]:
            del self._said[agent], self.states[agent]

    def to_plain(self) -> Any:
        """Return the whole state as plain values, by agent."""
        return self._said

    def restore(self, plain: Any) -> None:
        """Become the contexts that :meth:`to_plain` described.

        Snapshots from before they expired hold no times: of those nothing is
        known, and the broker tells again what it retains.
        """
        timed = {agent: said for agent, said in plain.items() if not isinstance(said, str)}
        self._said = convert(timed, dict[str, _Said])
        self.states = {agent: said.state for agent, said in self._said.items()}
