"""The agent's process: collectors in, windows out, the agent's word obeyed at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from functools import partial
from random import SystemRandom
from secrets import token_hex
from typing import Any

from sensors.collector import Link, Reading
from sensors.config import BrokerSettings
from sensors.edge.asking.asking import Asking
from sensors.edge.collecting.clock import SystemTime, TimeSource, WindowClock
from sensors.edge.collecting.supervise import Sink, Supervisor, run_all
from sensors.edge.collecting.window import Assembler
from sensors.edge.companion import Companion, answer_beside, run_beside, said_beside
from sensors.edge.consent.choices import Choices
from sensors.edge.consent.file import ConsentFile
from sensors.edge.consent.permission import Event, Lockers, Permission, events_of, parse_channels
from sensors.edge.consent.shift import in_shift
from sensors.edge.consent.telephony import Telephony
from sensors.edge.control.control import ControlServer
from sensors.edge.control.forgetting import forget
from sensors.edge.outbox.keeping import Keeper
from sensors.edge.outbox.outbox import Outbox
from sensors.edge.running.ending import BROKER, DEVICE, DISK, PART, ended
from sensors.edge.running.heartbeat import Heartbeat
from sensors.edge.running.reporting import About, start_line
from sensors.edge.sealing.cipher import Cipher
from sensors.edge.sealing.keyhold import load_cipher
from sensors.edge.sending.identity import Identity
from sensors.edge.sending.plan import Pace
from sensors.edge.sending.publisher import Publisher
from sensors.edge.settings import EdgeSettings
from sensors.edge.telling.teller import Teller
from sensors.messages import (
    ConsentMessage,
    ContextMessage,
    MirrorMessage,
    NoticeMessage,
    ReadingMessage,
    RequestKind,
    StatusMessage,
)
from sensors.signals import Channel
from sensors.spoken import say


class EdgeProcess:
    """One agent's edge on one machine.

    Parameters
    ----------
    settings : EdgeSettings
    broker : BrokerSettings
    say : callable
        Takes one line for the person at the machine.
    times : TimeSource
        The clocks; tests hand in their own.
    companions : sequence of Companion
        What runs beside the windows: the agent's page, a lock watcher, a recorder.
    cipher : Cipher or None
        Seals what is kept here; ``None`` loads the agent's own.
    ending : callable
        Called when it begins to end, for whatever reason.
    """

    def __init__(
        self,
        settings: EdgeSettings,
        broker: BrokerSettings,
        say: Callable[[str], None],
        times: TimeSource | None = None,
        *,
        companions: Sequence[Companion] = (),
        cipher: Cipher | None = None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self._teller = Teller(
            settings.told_path, settings.break_reminder_min, is_private=settings.private
        )
        self._companions: tuple[Companion, ...] = (self._teller, *companions)
        self._settings = settings
        self.say = say
        self._times = times or SystemTime()
        self._run = token_hex(8)
        self._choices = Choices(ConsentFile(settings.consent_path), self._obeyed, say)
        self._lockers = Lockers()
        self._telephony = Telephony()
        self._supervisors = [self._supervised(name) for name in dict.fromkeys(settings.collectors)]
        self._assembler = Assembler({c for s in self._supervisors for c in s.channels})
        self._cipher = cipher or load_cipher(settings.folder, use_keyring=settings.keyring)
        self._outbox = self._opened_outbox()
        self._clock = WindowClock(
            settings.site,
            settings.require_agent(),
            self._times.wall_at(),
            self._times.monotonic_s(),
        )
        self._about = self._told_about()
        self._publisher = self._sending_to(broker)
        self._heartbeat = Heartbeat(
            self._publisher, self._assembler, self._times, say, is_private=settings.private
        )
        self._keeper = self._keeping()
        self._asking = Asking(
            self._publisher,
            self.now_at,
            lambda: self._teller.asked,
            is_private=settings.private,
            said=partial(said_beside, self._companions),
        )
        self._control = ControlServer(settings.control_path, self.obey)
        self._forgetting = asyncio.Lock()
        self._stop = asyncio.Event()
        self._ending = ending
        self._waits_for = DEVICE  # what would hold the end up now

    # What it is made of.

    def _supervised(self, name: str) -> Supervisor:
        options = self._settings.options_of(name)
        return Supervisor(name, options, self._times, self._sink(name), SystemRandom())

    def _opened_outbox(self) -> Outbox:
        own = self._settings
        return Outbox(
            own.outbox_path, self._cipher, max_windows=own.max_windows, max_age_s=own.max_age_s
        )

    def _keeping(self) -> Keeper:
        return Keeper(
            self._outbox,
            self._publisher,
            self.now_at,
            self.say,
            kept=self._kept,
            refused=self._heartbeat.say_status,
        )

    def _told_about(self) -> About:
        return About(
            self._settings,
            self._run,
            outbox=self._outbox,
            assembler=self._assembler,
            supervisors=self._supervisors,
            key_kept_in=self._cipher.kept_in,
            on_page=lambda: self._teller.on_page,
        )

    def _sending_to(self, broker: BrokerSettings) -> Publisher:
        own = self._settings
        return Publisher(
            broker,
            Identity(site=own.site, agent=own.agent, source=own.source, run=self._run),
            self._outbox,
            self,
            status=self._status,
            consent=self._consent,
            on_message=self._take_message,
            pace=Pace(backlog_per_s=own.backlog_per_s, resend_after_s=own.resend_after_s),
        )

    # The publisher's clock.

    def monotonic_s(self) -> float:
        """Return the monotonic clock. [s]."""
        return self._times.monotonic_s()

    def now_at(self) -> datetime:
        """Return the run's own wall time. UTC."""
        return self._clock.now_at(self._times.monotonic_s())

    @property
    def permission(self) -> Permission:
        """What the agent allows."""
        return self._choices.permission

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What its collectors could measure."""
        return self._assembler.channels

    def consent(self, channels: Iterable[Channel]) -> None:
        """Record that the agent allows exactly `channels`, before or while it runs."""
        chosen = frozenset(channels)
        if not self.permission.is_asked or self.permission.channels != chosen:
            now_at = self._times.wall_at()
            self._choices.change(lambda allowed: allowed.consenting(chosen, now_at))

    def stop(self) -> None:
        """End `run` politely."""
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop`; then say goodbye and close everything.

        Raises
        ------
        ConfigurationError
            If a collector refuses its options.
        """
        for note in (*self._cipher.take_notes(), *self._outbox.take_notes()):
            self.say(note)
        self._choices.let_lapse(self._times.wall_at())
        self._check_shift()
        await self._control.start()
        work: list[Coroutine[Any, Any, object]] = [
            run_all(self._supervisors),
            self._windows(),
            self._keeper.run(),
            self._publisher.run(),
            self._heartbeat.run(),
            run_beside(self._companions, self),
            self._stop.wait(),
        ]
        tasks = [asyncio.create_task(one) for one in work]
        measuring, keeping, beside = tasks[:2], tasks[2], tasks[3:]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            self._stop.set()  # Ctrl-C, where signals cannot be handled
            raise
        finally:
            self._ending()
            await ended(measuring)
            self._waits_for = DISK
            if not keeping.done():
                await self._keeper.finish()
            await ended([keeping, *beside])
            await self._choices.end()
            self._waits_for = BROKER
            # Whoever ends without having been asked to has failed: that is to be repaired.
            await self._publisher.stop(goodbye=self._stop.is_set())
            # From here on a disk that hangs holds us; all that waited for us has been told.
            self._waits_for = DISK
            await self._control.stop()
            await self._choices.written()
            self._outbox.close()
            self._waits_for = DEVICE if any(s.is_stuck for s in self._supervisors) else PART

    async def _windows(self) -> None:
        while True:
            await self._times.sleep_until(self._clock.due_s)
            if self._clock.resync(self._times.wall_at(), self._times.monotonic_s()):
                self._assembler.forget()
                self._publisher.anchored_anew(self._keeper.next_seq)
                self.say(say("time jumped forward (sleep?); going on with the next window"))
                continue
            await self._choices.follow()
            self._check_call()
            self._check_shift()  # first: a window that reaches out of the shift is withheld
            self._keeper.take(self._close_window())
            self._clock.advance()

    def _close_window(self) -> ReadingMessage:
        end_at = self._clock.end_at
        local = time.localtime(end_at.timestamp())
        message = self._assembler.close(self._clock.due_s).message(
            source=self._settings.source,
            run=self._run,
            seq=self._keeper.next_seq,
            window_end_at=end_at,
            utc_offset_min=local.tm_gmtoff // 60,
        )
        # Now, not when it is sent: by then the clock may have been set.
        return self._publisher.with_offset(message)

    def _kept(self, message: ReadingMessage) -> None:
        for companion in self._companions:
            companion.take_window(message)

    # What collectors and server bring.

    def _sink(self, name: str) -> Sink:
        return Sink(self._take_reading, partial(self._take_link, name), self.say)

    def _take_reading(self, reading: Reading) -> None:
        self._assembler.add(reading)

    def _take_link(self, name: str, link: Link) -> None:
        self._assembler.link(link.channel, link.state, name)

    def _take_message(self, message: NoticeMessage | ContextMessage | MirrorMessage) -> None:
        if isinstance(message, ContextMessage):
            message = self._telephony.hear(message, self.now_at())
        for companion in self._companions:
            companion.take_told(message)
        if isinstance(message, ContextMessage):
            for event in events_of(message.state):
                self._choices.hold(self.permission.after(event))

    # The agent's word.

    def _obeyed(self, consent_changed: bool) -> None:
        """Have collectors and windows do what holds from this moment on."""
        withheld = self.permission.withheld(self._assembler.channels)
        self._assembler.withhold(withheld)
        for supervisor in self._supervisors:
            supervisor.allow(frozenset(self._assembler.channels) - withheld)
        # Alike for every reason, and nothing where nothing changed: a lock during
        # a pause, or the end of a shift, must not show in when we speak (T7).
        self._heartbeat.say_change()
        if consent_changed:
            self._publisher.say_consent()

    def _check_call(self) -> None:
        over = self._telephony.step(self.now_at())
        if over is not None:
            self._take_message(over)

    def _check_shift(self) -> None:
        local_at = self._times.wall_at().astimezone()
        inside = in_shift(self._settings.shifts, local_at)
        self._choices.hold(
            self.permission.after(Event.SHIFT_BEGINS if inside else Event.SHIFT_ENDS)
        )

    async def obey(self, command: str, words: tuple[str, ...] = ()) -> dict[str, Any]:
        """Do what another terminal or a companion asks; return the answer."""
        now_at = self._times.wall_at()
        match command:
            case "pause" | "resume" | "lock" | "unlock":
                event = self._lockers.after(Event(command), words)
                await self._choices.heed(lambda allowed: allowed.after(event))
            case "withdraw":
                await self._withdraw(parse_channels(words), now_at)
            case "consent":
                channels = parse_channels(words)
                await self._choices.heed(lambda allowed: allowed.consenting(channels, now_at))
            case "ask" | "reply":
                say_it = self._asking.ask if command == "ask" else self._asking.reply
                return {"text": await say_it(words), **self.report()}
            case "forget":
                async with self._forgetting:  # on a disk that hangs each would hold a thread
                    text = await self._forget()
                return {"text": text, **self.report()}
            case "status":
                await self._choices.follow()
            case _:
                return {**await answer_beside(self._companions, command, words), **self.report()}
        return self.report()

    async def _forget(self) -> str:
        also = self._erase_beside if self._settings.private else None
        return await forget(self._outbox, (self._keeper, self._publisher), self._companions, also)

    async def _withdraw(self, channels: tuple[Channel, ...], now_at: datetime) -> None:
        await self._choices.heed(lambda allowed: allowed.withdrawing(channels, now_at))

    async def _erase_beside(self) -> None:
        """Have the server of this machine erase, too, and measure nothing until allowed again."""
        await self._withdraw((), self._times.wall_at())
        await self.request(RequestKind.ERASE)

    async def request(self, kind: RequestKind) -> None:
        """Send what the agent asks for; wait until the broker has it."""
        await self._asking.request(kind)

    # What it says about itself.

    def _status(self, online: bool) -> StatusMessage:
        return self._about.status(self.now_at(), online=online)

    def _consent(self) -> ConsentMessage | None:
        return self.permission.message()

    def report(self) -> dict[str, Any]:
        """Return the edge's state for the agent's own eyes."""
        return self._about.report(
            self.permission,
            windows=self._keeper.kept,
            unsent=self._publisher.unsent,
            is_connected=self._publisher.is_connected,
            refusal=self._publisher.refusal,
        )

    def last_words(self) -> str:
        """Return what is said where something does not let it end; asks no disk and no lock."""
        return say(
            "{what} does not answer, so this ends without it; windows kept here: {held};"
            " lost: {lost}",
            what=say(self._waits_for),
            held=self._outbox.held,
            lost=self._keeper.waiting + self._keeper.lost,
        )

    def start_line(self) -> str:
        """Return one line that says what this edge does."""
        return start_line(
            self._settings, self.permission.channels & frozenset(self._assembler.channels)
        )
