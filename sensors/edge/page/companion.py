"""The agent's page beside the edge: what it is told, what it remembers, how it is opened."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Protocol

from sensors import codec
from sensors.aside import Aside, InOrder
from sensors.edge.companion import Companion, EdgeAccess
from sensors.edge.page import remembered as memory
from sensors.edge.page.facts import Facts, History, Said, Span, no_history
from sensors.edge.page.opening import has_desktop, open_beside
from sensors.edge.page.orders import LANGUAGE, Order, order_of
from sensors.edge.page.remembered import Remembered
from sensors.errors import (
    BrokerError,
    ConfigurationError,
    MissingExtraError,
    StateError,
    WellbeingError,
)
from sensors.messages import ContextMessage, MirrorMessage, NoticeMessage, ReadingMessage
from sensors.replacing import remedy
from sensors.signals import of_channel
from sensors.spoken import answering_in, say
from sensors.words import LANGUAGES, Words, language_for

if TYPE_CHECKING:  # both load a web framework, and only a page that is on needs one
    from sensors.edge.page.render import Page
    from sensors.edge.page.server import PageServer

NOTICES = 200
"""As many as a person scrolls through; the record keeps more."""

_DRAWN_WITHIN_S = 5.0
"""Then the page is shown without the record: the disk does not answer. [s]"""

_COLLECTED_WITHIN_S = 30.0
"""A month of every signal, on a slow disk. [s]"""

_ERASED_WITHIN_S = 8.0
"""Whoever asked waits 10 s for the answer. [s]"""

_MOST_WAITING = 100  # of the agent's choices on the page, for a disk that hangs

_SAID = 16
"""Answers to forms that a reload may still ask for."""


class Record(Protocol):
    """The agent's own record on this machine; see `sensors.edge.own.record.OwnRecord`."""

    def notices(self, limit: int = NOTICES) -> list[NoticeMessage]:
        """Return the newest first."""

    def last_window(self) -> ReadingMessage | None:
        """Return the newest window."""

    def mirror(self) -> MirrorMessage | None:
        """Return the newest mirror."""

    def history(self, signal: str, span: Span, now: datetime) -> list[tuple[datetime, float]]:
        """Return a signal's means, oldest first."""


class AgentPage(Companion):
    """The agent's own page.

    Parameters
    ----------
    path : Path
        Where the page keeps what it remembers.
    record : Record
    language : str
        What the page speaks unless the agent chooses; empty asks the browser.
    is_private : bool
        Nothing leaves this machine, and the page says so.
    """

    def __init__(
        self, path: Path, record: Record, *, language: str = "", is_private: bool = False
    ) -> None:
        self._path = path
        self._record = record
        self._language = language
        self._is_private = is_private
        self._remembered = memory.load(path)
        self._drawing, self._collecting = Aside("page"), Aside("page data")
        self._disk = InOrder("page", _MOST_WAITING)
        self._said: OrderedDict[str, Said] = OrderedDict()
        self._window: ReadingMessage | None = None
        self._mirror: MirrorMessage | None = None
        self._mirror_at: datetime | None = None
        self._heard: deque[NoticeMessage] = deque(maxlen=NOTICES)
        self._edge: EdgeAccess
        self._page: Page
        self._wanted, self._begun = asyncio.Event(), asyncio.Event()
        self._server: PageServer | None = None
        self._refusal: WellbeingError | None = None
        self._has_failed = False

    # Beside the edge.

    async def run(self, edge: EdgeAccess) -> None:
        """Serve the page until cancelled, from the first time that it is wanted.

        Before that nothing is loaded and nothing listens. Whoever was never
        asked for consent is shown it at once, where there is a desktop.
        """
        self._edge = edge
        is_first = not edge.permission.is_asked and bool(edge.channels) and has_desktop()
        if is_first:
            self._wanted.set()
        else:
            edge.say(say("your own page is there; to open it: wellbeing edge page"))
        await self._wanted.wait()
        server = await self._begin()
        if server is None:
            return
        if is_first:
            edge.say(say("opening your own page in the browser"))
            open_beside(server.gate.one_time_address(time.monotonic()))
        await server.run()

    async def _begin(self) -> PageServer | None:
        try:
            listening = await asyncio.to_thread(self._load)
            # Not in the thread: it goes on though the edge ends meanwhile, and nobody would close it.
            self._server = listening(self)
        except ImportError as error:
            self._refusal = MissingExtraError(
                f"no page: {error.name} is not installed; run: pip install 'agent-wellbeing[page]'"
            )
        except OSError as error:
            self._refusal = StateError(f"no page: {error.strerror or error}; start the edge again")
        finally:
            self._begun.set()
        if self._refusal is not None:
            self._edge.say(str(self._refusal))
        return self._server

    def _load(self) -> type[PageServer]:
        """Load the framework: a second on a slow machine, so in a thread."""
        from sensors.edge.page.render import Page  # noqa: PLC0415 - only once it is wanted
        from sensors.edge.page.server import PageServer  # noqa: PLC0415

        self._page = Page()
        return PageServer

    async def answer(self, command: str, words: tuple[str, ...]) -> dict[str, Any] | None:
        """Return an address for ``page`` that opens the page once.

        Raises
        ------
        ConfigurationError
            If ``page`` is followed by anything.
        MissingExtraError, StateError
            If the page cannot be served; the text says why and what to do.
        """
        if command != "page":
            return None
        if words:
            raise ConfigurationError(f"page takes no further words; found {words[0]!r}")
        self._wanted.set()
        await self._begun.wait()
        if self._server is None:
            raise self._refusal or StateError("no page: it has ended; start the edge again")
        address = self._server.gate.one_time_address(time.monotonic())
        return {"text": address, "page": address}

    def take_window(self, message: ReadingMessage) -> None:
        """Take the newest window."""
        self._window = message

    def take_told(self, message: NoticeMessage | ContextMessage | MirrorMessage) -> None:
        """Take what the server tells."""
        if isinstance(message, MirrorMessage):
            self._mirror, self._mirror_at = message, self._edge.now_at()
        elif isinstance(message, NoticeMessage):
            self._heard.append(message)

    def take_said(self, command: str, words: tuple[str, ...]) -> None:
        """Remember what the agent asked for or answered, wherever they did."""
        self._remember(self._remembered.after(command, words, self._edge.now_at()))

    async def forget(self) -> None:
        """Keep nothing of what was heard, measured and answered; the language stays."""
        self._heard.clear()
        self._window = self._mirror = self._mirror_at = None
        self._remember(replace(self._remembered, asked=None, answers={}))
        try:
            await self._disk.within(_ERASED_WITHIN_S, lambda: None)
        except TimeoutError:
            raise StateError(
                "what your page remembers is not erased yet: the disk does not answer"
            ) from None

    # Behind the page's addresses.

    async def html(self, accept_language: str, said: str, *, is_whole: bool) -> str:
        """Return the page in the agent's language."""
        words = self._words(accept_language)
        report, permission = self._edge.report(), self._edge.permission
        now, channels = self._edge.now_at(), self._edge.channels
        spoken = self._said.get(said, Said())
        heard = tuple(self._heard)  # here: it changes in this thread only

        def draw(*, is_disk_there: bool = True) -> str:
            record = self._from_record if is_disk_there else self._without_record
            notices, history, trouble = record(words, now, heard)
            mirror, mirror_at = self._last_mirror(is_disk_there=is_disk_there)
            facts = Facts(
                now=now,
                report=report,
                permission=permission,
                channels=channels,
                mirror=mirror,
                mirror_at=mirror_at,
                notices=notices,
                window=self._window,
                history=history,
                remembered=self._remembered,
                is_private=self._is_private,
                trouble=trouble,
            )
            return self._page.html(words, facts, spoken, is_whole=is_whole)

        try:
            # Reads a month from disk: not in the thread that measures.
            return await self._drawing.within(_DRAWN_WITHIN_S, draw)
        except TimeoutError:  # what can be done here is there all the same
            return draw(is_disk_there=False)

    def _from_record(
        self, words: Words, now: datetime, heard: tuple[NoticeMessage, ...]
    ) -> tuple[tuple[NoticeMessage, ...], History, str]:
        """Return notices and history; a disk that refuses takes only the record from the page."""
        known = {notice.id: notice for notice in heard}
        try:
            known |= {notice.id: notice for notice in self._record.notices(NOTICES)}
            self._record.history("hr_bpm", "day", now)  # what it reads, it keeps for a minute
            history: History = lambda signal, span: self._record.history(signal, span, now)  # noqa: E731
            trouble = ""
        except StateError as error:
            why = str(error)
            history = no_history
            trouble = words.say("Your record on this machine cannot be read: {why}", why=why)
        newest_first = sorted(known.values(), key=lambda notice: notice.at, reverse=True)
        return tuple(newest_first[:NOTICES]), history, trouble

    def _without_record(
        self, words: Words, _now: datetime, heard: tuple[NoticeMessage, ...]
    ) -> tuple[tuple[NoticeMessage, ...], History, str]:
        """As `_from_record`, where the disk does not answer."""
        why = words.say("the disk does not answer")
        trouble = words.say("Your record on this machine cannot be read: {why}", why=why)
        return tuple(reversed(heard)), no_history, trouble

    def _last_mirror(self, *, is_disk_there: bool) -> tuple[MirrorMessage | None, datetime | None]:
        """Return the newest mirror and when it came; of an earlier run, when it was sent."""
        if self._mirror is not None or not is_disk_there:
            return self._mirror, self._mirror_at
        try:
            kept = self._record.mirror()
        except StateError:
            return None, None  # said where the record is read
        return kept, kept.at if kept else None

    async def do(self, form: dict[str, str], accept_language: str) -> str:
        """Do what a form asks; an error becomes what is said."""
        words = self._words(accept_language)
        try:
            order = order_of(form, self._edge.permission, words)
            text = await self._obey(order, words)
            return self._speak(text, is_error=False)
        except BrokerError:
            text = self._not_delivered(words)
        except (WellbeingError, OSError) as error:
            text = words.say("That did not work: {why}", why=str(error))
        return self._speak(text, is_error=True)

    def _not_delivered(self, words: Words) -> str:
        if self._edge.report()["connected"]:  # it may have gone out just before the line broke
            return words.say("Nobody confirmed that this arrived. Speak to a person, or try again.")
        return words.say(
            "This reached nobody: there is no connection right now. Speak to a person, or try again."
        )

    async def _obey(self, order: Order, words: Words) -> str:
        if order.command == LANGUAGE:
            if order.words[0] in LANGUAGES:
                self._remember(replace(self._remembered, language=order.words[0]))
            return ""
        with answering_in(words):
            report = await self._edge.obey(order.command, order.words)
        return words.say(order.said) if order.said else str(report["text"])

    async def data(self) -> bytes:
        """Return what this machine keeps about the agent.

        Raises
        ------
        StateError
            If the disk refuses, or does not answer.
        """
        now, report = self._edge.now_at(), self._edge.report()
        try:
            # On a thread of its own: those that hang must not keep the goodbye waiting.
            return await self._collecting.within(
                _COLLECTED_WITHIN_S, lambda: self._collected(now, report)
            )
        except TimeoutError:
            raise StateError(say("the disk does not answer")) from None

    def _collected(self, now: datetime, report: dict[str, Any]) -> bytes:
        signals = [s.name for channel in self._edge.channels for s in of_channel(channel)]
        history = {
            span: {
                name: found for name in signals if (found := self._record.history(name, span, now))
            }
            for span in ("day", "month")
        }
        kept = {
            "made_at": now,
            "state": report,
            "last_window": self._window or self._record.last_window(),
            "mirror": self._mirror,
            "notices": self._record.notices(2000),
            "answers": self._remembered.answers,
            "history": history,
        }
        return codec.dump_json(kept)

    def failed(self, error: Exception) -> None:
        """Say once that the page has an error of its own."""
        if not self._has_failed:
            self._has_failed = True
            self._edge.say(f"page: {type(error).__name__}: {error}; please report it")

    def _words(self, accept_language: str) -> Words:
        wanted = self._remembered.language or self._language or language_for(accept_language)
        return Words(wanted)

    def _remember(self, remembered: Remembered) -> None:
        if remembered == self._remembered:
            return
        self._remembered = remembered
        self._disk.do(lambda: self._save(remembered))

    def _save(self, remembered: Remembered) -> None:
        try:
            memory.save(self._path, remembered)
        except OSError as error:  # what was asked for is done all the same
            self._edge.say(f"page: cannot write {self._path}: {error.strerror}; {remedy(error)}")

    def _speak(self, text: str, *, is_error: bool) -> str:
        name = token_hex(4)
        self._said[name] = Said(text, is_error)
        while len(self._said) > _SAID:
            self._said.popitem(last=False)
        return name
