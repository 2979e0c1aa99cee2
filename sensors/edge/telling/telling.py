"""What is said aloud to the agent, and when: notices that keep their manners (TRUST A6). Pure.

- *Answers* to what the agent asked for are said at once, also during a call:
  somebody who asks for help in a call waits for nothing more than for them.
  They do not count.
- What *interrupts* (a supervisor was told; a question about it; a break is
  due) waits for the end of the call, comes at most `LIMIT` times in `SHIFT`,
  and says what happens if it is ignored. What has gathered is said at once and
  counts once.
- Everything else (somebody looked, took it, decided, it is over, it is back)
  interrupts nobody: evidence that comes and goes is said once. It stands on the agent's page, as does what exceeded the limit; how
  much that is, is counted and shown by ``wellbeing edge status``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sensors.edge.page.told import RIGHTS_WORDS, sentence
from sensors.messages import ContextState, NoticeKind, NoticeMessage
from sensors.spoken import spoken
from sensors.words import Words

LIMIT = 2
"""So often somebody is interrupted in a shift. (TRUST A6)"""

SHIFT = timedelta(hours=12)
"""Looked back so far: in no shift of up to twelve hours is there a third."""

_KNOWN = 500  # ids by which a retelling is recognised
_OWN_REQUEST = frozenset({NoticeKind.REQUEST_RECEIVED, NoticeKind.REQUEST_PASSED_ON})
_ABOUT_AN_ALERT = frozenset({NoticeKind.ALERT_TOLD, NoticeKind.ALERT_SHOWN_AGAIN})
_INTERRUPTS = frozenset({NoticeKind.ALERT_TOLD, NoticeKind.WAS_IT_SO})


class Telling:
    """What one agent was told, and what waits to be said.

    Parameters
    ----------
    told_at : iterable of datetime
        When the agent was interrupted before, as kept from an earlier run.
    is_private : bool
        Nothing leaves this machine, so nobody else was told anything.
    """

    def __init__(self, told_at: Iterable[datetime] = (), *, is_private: bool = False) -> None:
        self.told_at = sorted(told_at)
        self.on_page = 0
        self.asked: str | None = None
        self._is_private = is_private
        self._in_call = False
        self._known: dict[str, None] = {}
        self._own: set[str] = set()
        self._answers: list[NoticeMessage] = []
        self._waiting: dict[str, NoticeMessage] = {}
        self._never_said: set[str] = set()  # over before there was a moment to say it
        self._break_due: timedelta | None = None

    def take(self, notice: NoticeMessage) -> None:
        """Take in what the server tells; the same told twice is told once."""
        if notice.id in self._known:
            return
        self._known[notice.id] = None
        if len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]
        if notice.kind in _OWN_REQUEST and notice.alert_id is not None:
            self._own.add(notice.alert_id)
        if notice.kind is NoticeKind.WAS_IT_SO:
            self.asked = notice.alert_id
        self._sort(notice)

    def _sort(self, notice: NoticeMessage) -> None:
        about = notice.alert_id or notice.id
        if notice.kind in _OWN_REQUEST | RIGHTS_WORDS.keys() or (
            notice.alert_id in self._own and not _is_question(notice)
        ):
            self._answers.append(notice)
        elif notice.kind in _INTERRUPTS or (
            notice.kind is NoticeKind.ALERT_SHOWN_AGAIN and about in self._never_said
        ):
            self._never_said.discard(about)
            self._waiting[about] = notice
        else:
            if notice.kind is NoticeKind.ALERT_RESOLVED and about in self._waiting:
                del self._waiting[about]
                self._never_said.add(about)
                self.on_page += 1
            self.on_page += 1

    def context(self, state: ContextState) -> None:
        """Take in what the agent is doing."""
        self._in_call = state is ContextState.ON_CALL

    def remind(self, worked: timedelta | None) -> None:
        """Let a break be due after so long, or, with ``None``, no longer be due."""
        self._break_due = worked

    def due(self, now: datetime, *, keep_free: int = 0) -> list[str]:
        """Return what is said at `now`, a line each, and count it.

        Parameters
        ----------
        now : datetime
            UTC.
        keep_free : int
            Interruptions that a reminder must leave for what concerns the agent.
        """
        answers, self._answers = self._answers, []
        lines = [self._answer(spoken(), one) for one in answers]
        if self._in_call or not (self._waiting or self._break_due):
            return lines
        # A clock that was years ahead for a while must not silence everything until then.
        self.told_at = [at for at in self.told_at if abs(now - at) < SHIFT]
        room = LIMIT - len(self.told_at)
        waiting, self._waiting = list(self._waiting.values()), {}
        worked, self._break_due = self._break_due, None
        if room <= 0:
            self.on_page += len(waiting)
            return lines
        may_remind = worked is not None and (waiting or room > keep_free)
        if waiting or may_remind:
            self.told_at.append(now)
            lines.append(self._interruption(spoken(), waiting, worked if may_remind else None))
        return lines

    def _answer(self, words: Words, notice: NoticeMessage) -> str:
        return sentence(words, notice, frozenset(self._own), is_private=self._is_private)

    def _interruption(
        self, words: Words, waiting: list[NoticeMessage], worked: timedelta | None
    ) -> str:
        said = [sentence(words, one, is_private=self._is_private) for one in waiting]
        kinds = {one.kind for one in waiting}
        if kinds & _ABOUT_AN_ALERT:
            said.append(_if_ignored(words, is_private=self._is_private))
        if NoticeKind.WAS_IT_SO in kinds:
            said.append(
                words.say(
                    "If you do not answer, nothing happens. To answer:"
                    " wellbeing edge answer --so or --not-so, --helped or --not-helped."
                )
            )
        if worked is not None:
            said.append(_reminder(words, worked))
        return words.join(*said)


def _is_question(notice: NoticeMessage) -> bool:
    return notice.kind is NoticeKind.WAS_IT_SO


def _if_ignored(words: Words, *, is_private: bool) -> str:
    if is_private:
        return words.say("If you do nothing, nothing happens. A short break may do you good.")
    return words.say(
        "If you do nothing, they may speak to you; nothing happens by itself."
        " If you are fine, say so: wellbeing edge fine."
    )


def _reminder(words: Words, worked: timedelta) -> str:
    return words.say(
        "You have worked for {minutes} minutes without a break; five to ten minutes away from the"
        " screen would do you good. If you go on, nothing happens, and nobody is told.",
        minutes=int(worked.total_seconds() // 60),
    )
