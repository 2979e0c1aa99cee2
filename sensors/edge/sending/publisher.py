"""From the outbox to the broker, and the server's word back."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from typing import Protocol

from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.edge.outbox.outbox import Key, Outbox
from sensors.edge.sending.clock_offset import OffsetEstimate
from sensors.edge.sending.identity import Identity
from sensors.edge.sending.plan import Pace, SendPlan
from sensors.errors import BrokerError, MessageError, StateError
from sensors.messages import (
    ConsentMessage,
    ContextMessage,
    Message,
    MirrorMessage,
    NoticeMessage,
    ReadingMessage,
    StatusMessage,
    StoredMessage,
    TimeMessage,
)
from sensors.mqtt import Connection, Inbound, Will
from sensors.topics import DELIVERY, TopicKind

ASK_TIME_S = 30.0
"""How often the server's clock is asked for. [s]"""

_WAIT_SLICE_S = 0.25
_LOOK_S = 0.25  # between two looks at what is due, while something is on its way
_IDLE_S = 5.0  # while nothing is; whatever changes that ends the wait
_GOODBYE_S = 2.0  # the last status is not worth a longer wait


class SendingClock(Protocol):
    """The present, for pacing and as the windows are stamped."""

    def monotonic_s(self) -> float:
        """Return the monotonic clock that paces sending. [s]."""

    def now_at(self) -> datetime:
        """Return the present on the clock that stamps windows. UTC."""


class Publisher:
    """Sends one outbox's windows and keeps the agent's retained topics.

    Runs on one asyncio loop; the network thread only hands things over.

    Parameters
    ----------
    status : callable
        Returns the status of this moment, or with ``online=False`` the farewell.
    consent : callable
        Returns the consent to be retained, or ``None`` when never asked.
    on_message : callable or None
        Given each notice, context and mirror message.
    asks_time : bool
        Whether to estimate the clock offset; a window that carries one keeps it.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        identity: Identity,
        outbox: Outbox,
        clock: SendingClock,
        *,
        status: Callable[[bool], StatusMessage],
        consent: Callable[[], ConsentMessage | None],
        on_message: Callable[[NoticeMessage | ContextMessage | MirrorMessage], None] | None = None,
        pace: Pace | None = None,
        asks_time: bool = True,
    ) -> None:
        self._identity = identity
        self._outbox = outbox
        self._clock = clock
        self._status = status
        self._consent = consent
        self._on_message = on_message
        self._pace = pace or Pace()
        self._plan = SendPlan(self._pace, outbox.keys())
        self._generation = outbox.generation
        self._mids: dict[int, Key] = {}
        self._stored: dict[str, int] = {}  # run to what the server has of it, not yet let go of
        self._estimate = OffsetEstimate()
        self._asked = ""  # the question whose answer we wait for
        self._anchored_from = 0  # windows before this seq were dated by a clock set since
        self._next_ask_s = 0.0 if asks_time else math.inf
        self._asks_time = asks_time
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.refused = 0  # messages from the broker that made no sense
        site, agent, source = identity.site, identity.agent, identity.source
        self._connection = Connection(
            broker,
            client_id=f"edge-{site}-{agent}-{source}",
            subscriptions=topics.edge_subscriptions(site, agent, source),
            on_message=self._on_inbound,
            on_change=self._on_change,
            on_published=self._on_confirmed,
            will=Will(topics.status(site, agent, source), codec.encode(status(False))),
        )

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self._connection.is_connected

    @property
    def where(self) -> str:
        """The broker's address."""
        return self._connection.where

    @property
    def refusal(self) -> str:
        """Why the broker refused us, if it did."""
        return self._connection.refusal

    @property
    def room(self) -> int:
        """How many more windows may be in flight."""
        return self._plan.room

    @property
    def unsent(self) -> int:
        """How many windows wait to be handed to the broker for the first time."""
        return self._plan.unsent

    async def wait_connected(self, timeout_s: float) -> None:
        """Return once connected; `run` must be running.

        Raises
        ------
        BrokerError
            If that takes longer than `timeout_s`.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while True:
            # In short waits: Ctrl-C cannot interrupt a thread, and must not wait for it.
            rest_s = until_s - loop.time()
            try:
                await asyncio.to_thread(
                    self._connection.wait_connected, max(0.0, min(_WAIT_SLICE_S, rest_s))
                )
            except BrokerError:
                if rest_s <= _WAIT_SLICE_S:
                    raise
            else:
                return

    def kept(self, keys: Sequence[Key], dropped: Sequence[Key] = ()) -> None:
        """Note windows that the outbox has just taken, and what it dropped for them."""
        if not self._check_generation():
            self._plan.forgotten(dropped)
            for key in keys:
                self._plan.added(key, self._clock.monotonic_s())
        self._changed.set()

    def forget(self) -> None:
        """Plan to send nothing any more: the outbox was emptied."""
        self._plan = SendPlan(self._pace, ())
        self._mids.clear()

    def anchored_anew(self, next_seq: int) -> None:
        """Forget the clock offset: the clock it belonged to was set before window `next_seq`."""
        self._estimate.forget()
        self._asked = ""  # its answer, if it still comes, spans two clocks
        self._anchored_from = next_seq
        self._ask_soon()
        self._changed.set()

    async def run(self) -> None:
        """Send until cancelled."""
        self._connection.start()
        while True:
            # The event first, then the work: what comes in between is not missed.
            self._changed.clear()
            await self._release_stored()
            if self._connection.is_connected:
                await self._send_due()
                self._ask_time()
            # Not wait_for: Python 3.11's may swallow a cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s()):
                    await self._changed.wait()

    def _rest_s(self) -> float:
        """Return how long nothing needs to be done unless something changes. [s]."""
        if not self._connection.is_connected:
            return _IDLE_S
        if self._plan.is_waiting:
            return _LOOK_S
        return max(_LOOK_S, min(_IDLE_S, self._next_ask_s - self._clock.monotonic_s()))

    async def stop(self, *, goodbye: bool = True) -> None:
        """Say that we are offline, retained, and disconnect politely.

        With `goodbye`, that it was meant so: then nothing is broken, and the
        server must not call the agent's choice a fault (T7).
        """
        if self._connection.is_connected:
            topic = self._identity.topic(TopicKind.STATUS)
            farewell = codec.encode(replace(self._status(False), goodbye=goodbye))
            with contextlib.suppress(ConnectionError):  # then our silence says it
                await asyncio.to_thread(
                    self._connection.publish_and_wait,
                    topic,
                    farewell,
                    retain=True,
                    timeout_s=_GOODBYE_S,
                )
        await asyncio.to_thread(self._connection.stop)

    def say_status(self) -> None:
        """Publish the status of this moment, if connected."""
        self._publish(TopicKind.STATUS, self._status(True))

    def say_consent(self) -> None:
        """Publish the consent of this moment, if connected and ever asked."""
        consent = self._consent()
        if consent is not None:
            self._publish(TopicKind.CONSENT, consent)

    async def deliver(self, kind: TopicKind, message: Message, timeout_s: float) -> None:
        """Publish `message` and return once the broker confirmed.

        Raises
        ------
        BrokerError
            If it did not within `timeout_s`.
        """
        await asyncio.to_thread(
            self._connection.publish_and_wait,
            self._identity.topic(kind),
            codec.encode(message),
            retain=DELIVERY[kind].retained,
            timeout_s=timeout_s,
        )

    def _publish(self, kind: TopicKind, message: Message) -> int | None:
        if not self._connection.is_connected:
            return None
        delivery = DELIVERY[kind]
        return self._connection.publish(
            self._identity.topic(kind),
            codec.encode(message),
            qos=delivery.qos,
            retain=delivery.retained,
        )

    def _check_generation(self) -> bool:
        """Plan anew if a damaged file was replaced; return whether it was."""
        generation = self._outbox.generation
        if self._generation == generation:
            return False
        try:
            plan = SendPlan(self._pace, self._outbox.keys())
        except StateError:  # the outbox has noted it; looked at again with the next window
            return False
        self._generation, self._plan = generation, plan
        self._mids.clear()
        return True

    async def _send_due(self) -> None:
        self._check_generation()
        now_s, plan = self._clock.monotonic_s(), self._plan
        due = plan.due(now_s)
        if not due:
            return
        loaded = await asyncio.to_thread(self._load, due)
        if plan is not self._plan:
            return  # what was loaded was erased meanwhile, or is in the new plan
        for index, (key, message) in enumerate(zip(due, loaded, strict=False)):
            if message is None:
                self._plan.forgotten([key])
                continue
            mid = self._publish(
                TopicKind.READING, replace(self.with_offset(message), sent_at=self._clock.now_at())
            )
            if mid is None:  # the connection went in between
                self._plan.not_sent(due[index:])
                return
            self._mids[mid] = key
            self._plan.sent(key, now_s)
        self._plan.not_sent(due[len(loaded) :])

    def _load(self, keys: Sequence[Key]) -> list[ReadingMessage | None]:
        """Return the windows of `keys`, as many as the disk gives out."""
        loaded: list[ReadingMessage | None] = []
        # Where it raises, the outbox has noted it, and the windows are still there.
        with contextlib.suppress(StateError):
            for key in keys:
                loaded.append(self._outbox.load(key))  # noqa: PERF401 - keeps what came before an error
        return loaded

    def with_offset(self, message: ReadingMessage) -> ReadingMessage:
        """Return `message` with the offset of the clock that dated it, where that is known.

        One that has it keeps it. A window of an earlier run, or from before
        the clock was set, was dated by another clock: today's offset would
        move it by as much as the clock was off.
        """
        best = self._estimate.best(self._clock.now_at())
        is_of_this_clock = message.run == self._identity.run and message.seq >= self._anchored_from
        if message.clock_offset_ms is not None or best is None or not is_of_this_clock:
            return message
        offset_ms, error_ms = best
        return replace(message, clock_offset_ms=offset_ms, clock_error_ms=error_ms)

    def _ask_soon(self) -> None:
        if self._asks_time:
            self._next_ask_s = 0.0

    def _ask_time(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._next_ask_s:
            self._next_ask_s = now_s + ASK_TIME_S
            self._asked = token_hex(8)
            question = TimeMessage(id=self._asked, edge_sent_at=self._clock.now_at())
            self._publish(TopicKind.TIME, question)

    # The network thread hands over; everything else happens on the loop.

    def _hand_over(self, work: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: we are stopping
            self._loop.call_soon_threadsafe(work, *arguments)

    def _on_change(self, connected: bool) -> None:
        self._hand_over(self._changed_now, connected)

    def _on_confirmed(self, mid: int) -> None:
        self._hand_over(self._confirmed_now, mid)

    def _on_inbound(self, inbound: Inbound) -> None:
        self._hand_over(self._received_now, inbound)

    def _changed_now(self, connected: bool) -> None:
        if connected:
            self._plan.connected(self._clock.monotonic_s())
            self._ask_soon()
            self.say_status()
            self.say_consent()
        self._changed.set()

    def _confirmed_now(self, mid: int) -> None:
        key = self._mids.pop(mid, None)
        if key is not None:
            self._plan.confirmed(key)
            self._changed.set()

    async def _release_stored(self) -> None:
        """Let go of what the server has; if the disk refuses, its next word will do."""
        while self._stored:
            run, seq = self._stored.popitem()
            with contextlib.suppress(StateError):  # the outbox has noted it
                released = await asyncio.to_thread(self._outbox.release, run, seq)
                if released:
                    self._plan.released(released, self._clock.monotonic_s())

    def _take_time(self, answer: TimeMessage) -> None:
        """Take the answer to the last question; any other's clock may have been set since."""
        if answer.server_at is not None and answer.id == self._asked:
            self._asked = ""
            self._estimate.add(answer.edge_sent_at, answer.server_at, self._clock.now_at())

    def _received_now(self, inbound: Inbound) -> None:
        if not inbound.payload:
            return  # a retained topic was cleared: its agent was erased on the server
        try:
            topic = topics.parse(inbound.topic)
            message = codec.decode(inbound.payload, DELIVERY[topic.kind].message)
        except MessageError:
            self.refused += 1
            return
        if isinstance(message, StoredMessage):
            self._stored[message.run] = max(message.seq, self._stored.get(message.run, -1))
            self._changed.set()
        elif isinstance(message, TimeMessage):
            self._take_time(message)
        elif (
            isinstance(message, NoticeMessage | ContextMessage | MirrorMessage) and self._on_message
        ):
            self._on_message(message)
