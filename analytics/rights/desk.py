"""The server's desk for rights: erases while it runs, and keeps erased what comes back.

Everything happens on the service's own thread, between two steps, so that the
state in memory, its snapshot and the file stay one; only the store is asked on
another thread (`analytics.writing.errands`), because it may be away for hours. A request survives a
restart: it stands in the table ``rights`` until all of it is done.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from secrets import token_hex

from analytics.alerts.notices import notice_id
from analytics.events import Publication
from analytics.journal.intake import Accepted, Judged, Refused
from analytics.journal.steps import Commit, Pending
from analytics.people import tombstones
from analytics.people.tombstones import Tombstone, Tombstones
from analytics.rights import erasure as rights_erasure
from analytics.rights import requests as rights_requests
from analytics.rights.erasure import RETAINED, ServerParts
from analytics.rights.purge import Purge
from analytics.rights.receipt import Done, Place, Receipt
from analytics.rights.requests import AGENT, Kind, Request, State
from analytics.state.state_file import state_errors, transaction
from analytics.store.base import Eraser
from analytics.writing.errands import Errand
from sensors import topics
from sensors.messages import NoticeKind, NoticeMessage, RequestKind, RequestMessage

LOOK_EVERY_S = 1.0
"""How often the table is looked at. [s]"""

_KINDS = {RequestKind.ERASE: Kind.ERASE, RequestKind.EXPORT: Kind.EXPORT}

_log = logging.getLogger("wellbeing.detect")


class RightsDesk:
    """Carries out what is asked in agents' names.

    Parameters
    ----------
    parts : ServerParts
    ask_store : callable
        Given what is to be done with the store, beside its writing, as soon as it answers.
    clock : callable
        The server's time, UTC.
    erases_on_request : bool
        Whether an agent's own request is carried out without an
        administrator: only where the broker proves who asks.

    Attributes
    ----------
    tombstones : Tombstones
        For the intake.
    """

    def __init__(
        self,
        parts: ServerParts,
        ask_store: Callable[[Errand], None],
        clock: Callable[[], datetime],
        *,
        erases_on_request: bool = False,
    ) -> None:
        self._parts, self._ask_store, self._clock = parts, ask_store, clock
        self._erases_on_request = erases_on_request
        self._answers: deque[tuple[str, Place]] = deque()
        self._waiting: dict[str, Request] = {}
        self._pending: list[Pending] = []
        self._late: deque[tuple[float, str]] = deque()
        self._look_due_s = 0.0
        with state_errors(parts.path):
            self.tombstones = Tombstones(rights_erasure.load(parts.db))

    def open(self) -> None:
        """Erase again whom only the files beside state and store know as erased; go on waiting.

        To be called once the pipeline has its state, before anything else.
        """
        known = [stone for path in self._parts.files for stone in tombstones.read_file(path)]
        for stone in self.tombstones.add(known):
            _log.warning("a restored state held somebody who was erased; erasing again")
            again = Request(
                id=stone.id,
                agent=stone.agent,
                kind=Kind.ERASE,
                by=rights_requests.ADMINISTRATOR,
                asked_at=stone.at,
                state=State.DUE,
            )
            self._erase(stone, again)
        for path in self._parts.files:
            tombstones.merge_into(path, self.tombstones)
        with state_errors(self._parts.path):
            waiting = rights_requests.find(self._parts.db, State.WAITING)
        for request in waiting:
            if request.id not in self._waiting:
                self._wait(request)
        if len(self.tombstones):
            self._ask_store(self._erase_again)

    def heard(self, judged: Iterable[Judged]) -> None:
        """Take note of what agents ask for; to be called after it is in the journal.

        Also clears, on the broker, what an edge or an older broker brought back.
        """
        left: dict[str, None] = {}
        for one in judged:
            if isinstance(one, Refused) and one.is_left:
                left[one.topic] = None
            elif isinstance(one, Accepted):
                left.pop(one.topic, None)  # a new consent stands there by now
            if isinstance(one, Accepted) and isinstance(one.message, RequestMessage):
                kind = _KINDS.get(one.message.kind)
                if kind is not None and one.agent is not None:
                    self._asked(one.agent, kind, one.message.id)
        if left:
            clears = [Publication(topic, None) for topic in left]
            self._pending += self._parts.steps.commit(Commit(publications=clears))

    def _asked(self, agent: str, kind: Kind, message_id: str) -> None:
        now = self._clock()
        is_proven = self._erases_on_request and kind is Kind.ERASE
        request = Request(
            id=f"{agent}-{message_id}",
            agent=agent,
            kind=kind,
            by=AGENT,
            asked_at=now,
            state=State.DUE if is_proven else State.ASKED,
        )
        with state_errors(self._parts.path):
            if rights_requests.find(self._parts.db, request_id=request.id):
                return
            rights_requests.put(self._parts.db, request)
        if not is_proven:
            self._tell(agent, NoticeKind.RIGHTS_NOTED, request.id)
        _log.info("an agent asks to %s; see `wellbeing agent requests`", kind.value)

    def work(self) -> list[str]:
        """Do what is due; return whom it erased: nothing of theirs is waiting any more."""
        if not self._answers and time.monotonic() < self._look_due_s:
            return []
        self._look_due_s = time.monotonic() + LOOK_EVERY_S
        self._take_answers()
        self._erase_late()
        self._follow_broker()
        with state_errors(self._parts.path):
            due = rights_requests.find(self._parts.db, State.DUE)
        erased = []
        for request in due:
            if request.kind is Kind.ERASE:
                now = self._clock()
                receipt_id = request.id if request.by != AGENT else token_hex(8)
                stone = rights_erasure.stone_for(self._parts, request.agent, receipt_id, now)
                self.tombstones.add([stone])
                self._erase(stone, request)
                erased.append(request.agent)
            else:
                self._tell_export(request)
        return erased

    def take_pending(self) -> list[Pending]:
        """Return, once, what is to be sent; it stands in the file until the broker has it."""
        pending, self._pending = self._pending, []
        return pending

    def _erase(self, stone: Tombstone, request: Request) -> None:
        receipt, clears = rights_erasure.erase(self._parts, stone, request.by)
        self._pending += clears
        done = replace(request, state=State.WAITING, receipt=receipt)
        with state_errors(self._parts.path), transaction(self._parts.db):
            rights_requests.carried_out(self._parts.db, done)
        _log.info("erased an agent from the state; the store follows (receipt %s)", receipt.id)
        self._wait(done)

    def _wait(self, request: Request) -> None:
        self._waiting[request.id] = request
        self._ask_store(lambda store: self._erase_stored(store, request.id, request.agent))

    def _erase_stored(self, store: Eraser, request_id: str, agent: str) -> None:
        """Run on the errands' thread; raises when it is to be tried again."""
        anew = self.tombstones.consented_at(agent, self._parts.journal.consents)
        place = rights_erasure.erase_from_store(store, self._parts.site, agent, anew)
        self._answers.append((request_id, place))

    def _erase_again(self, store: Eraser) -> None:
        found = rights_erasure.erase_again(
            store, self._parts.site, self.tombstones, self._parts.journal
        )
        for count in found.values():
            _log.warning("the store held %d points of somebody who was erased; gone", count)

    def _erase_late(self) -> None:
        """Ask the store once more for those it erased a while ago."""
        while self._late and self._late[0][0] <= time.monotonic():
            _, agent = self._late.popleft()
            self._ask_store(lambda store, agent=agent: self._erase_what_came(store, agent))  # type: ignore[misc]

    def _erase_what_came(self, store: Eraser, agent: str) -> None:
        """Run on the errands' thread, like `_erase_stored`."""
        anew = self.tombstones.consented_at(agent, self._parts.journal.consents)
        place = rights_erasure.erase_from_store(store, self._parts.site, agent, anew)
        if place.count:
            _log.warning(
                "the store held %d points that were on their way when somebody was erased; gone",
                place.count,
            )

    def _take_answers(self) -> None:
        while self._answers:
            request_id, place = self._answers.popleft()
            request = self._waiting.get(request_id)
            if request is not None and request.receipt is not None:
                anew = self.tombstones.consented_at(request.agent, self._parts.journal.consents)
                rights_erasure.sweep(self._parts, request.agent, anew)
                if place.done is Done.ERASED:
                    due_s = time.monotonic() + rights_erasure.LATE_S
                    self._late.append((due_s, request.agent))
                self._note(request, request.receipt.with_place(place))

    def _follow_broker(self) -> None:
        """See which erasures the broker has confirmed: nothing of theirs waits to be cleared."""
        for request in list(self._waiting.values()):
            receipt = request.receipt
            if receipt is None or not _waits(receipt, RETAINED):
                continue
            with state_errors(self._parts.path):
                left = Purge(self._parts.db, request.agent).unsent()
            if not left:
                (was,) = (place for place in receipt.places if place.name == RETAINED)
                cleared = Place(
                    name=RETAINED,
                    done=Done.ERASED,
                    count=was.count,
                    note="consent, status, context, stored, alerts: cleared on the broker",
                )
                self._note(request, receipt.with_place(cleared))

    def _note(self, request: Request, receipt: Receipt) -> None:
        """Keep what is done by now; when all of it is, tell the agent."""
        is_over = not any(place.done is Done.WAITING for place in receipt.places)
        state = State.DONE if is_over else State.WAITING
        with state_errors(self._parts.path):
            rights_requests.settle(self._parts.db, request.id, state, receipt)
        if not is_over:
            self._waiting[request.id] = replace(request, state=state, receipt=receipt)
            return
        self._waiting.pop(request.id, None)
        kind = NoticeKind.ERASED if receipt.is_complete else NoticeKind.ERASED_IN_PART
        self._tell(request.agent, kind, receipt.id)
        left = "" if receipt.is_complete else "; not all of it: see `wellbeing agent receipt`"
        _log.info("the erasure with receipt %s has ended%s", receipt.id, left)

    def _tell_export(self, request: Request) -> None:
        self._tell(request.agent, NoticeKind.EXPORT_READY, request.id)
        with state_errors(self._parts.path):
            rights_requests.settle(self._parts.db, request.id, State.DONE)

    def _tell(self, agent: str, kind: NoticeKind, about: str) -> None:
        """Tell the agent what became of it: facts, in the words of their own page."""
        message = NoticeMessage(id=notice_id(kind, about), at=self._clock(), kind=kind)
        told = Publication(topics.notice(self._parts.site, agent), message)
        self._pending += self._parts.steps.commit(Commit(publications=[told]))


def _waits(receipt: Receipt, name: str) -> bool:
    return any(p.name == name and p.done is Done.WAITING for p in receipt.places)
