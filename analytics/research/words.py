"""What every file and column of an agent's own copy means, in plain words.

Signals and features take theirs from the catalogues; the rest stands here.
"""

from __future__ import annotations

from analytics.research.catalogue import VARIABLES
from sensors.signals import FIELDS

FILES: dict[str, str] = {
    "reading.csv": "What your sensors measured, one line for each 5-second window and source.",
    "beat.csv": "Your heart beats, one line each, at their own time.",
    "feature.csv": "What scoring looks at: averages over the last minutes, one line per window.",
    "score.csv": "How each window compares with your own usual.",
    "summary.csv": "The same by the minute: means, least and greatest values.",
    "transition.csv": "Every change of every alert about you: when, why, who was told.",
    "decision.csv": "What people did: supervisors' decisions about you, your own answers and"
    " requests, and every look at your page (kind says which).",
    "consents.csv": "What you consented to, and when.",
    "runs.csv": "Which windows of each start of your edge arrived, and which never did.",
    "messages.jsonl": "Messages from, to or about you that the server still keeps (at most a"
    " day), as they were sent, one JSON object a line.",
    "refused.jsonl": "Messages of yours that the server refused, and why.",
    "requests.csv": "What was asked in your name about your data, and what became of it.",
    "baseline.txt": "Your own usual: the range that the server takes as usual for you, now.",
}

_COLUMNS: dict[str, str] = {
    "time": "when, UTC",
    "source": "the machine that sent it",
    "state": "as_usual, learning, different, no_data or fault; of an alert: where it stands",
    "late": "true: it arrived more than 15 s after its end",
    "team": "the team, as of then",
    "context": "what telephony said you were doing",
    "detector_version": "version of the scoring",
    "quality": "how far it can be trusted, 0 to 1",
    "windows": "how many windows the minute sums up",
    "kind": "personal, team, request, technical; of a decision: decision, silence, reply, request"
    " or audit (a look)",
    "event": "what happened to the alert",
    "action": "what was done, answered or asked for",
    "effect": "what it changed",
    "alert_id": "the alert; all its lines carry it",
    "alert_kind": "kind of that alert",
    "id": "number of the message",
    "started_at": "start of the episode, UTC",
    "told_to": "supervisors who were told, in order",
    "taken_by": "supervisor who took it",
    "by": "who did it",
    "to": "who it was handed to",
    "decision": "what was decided",
    "reason": "why, from a short list",
    "note": "free words of the supervisor",
    "outcome": "what followed",
    "answer": "your yes or no",
    "follow_up_at": "when to look again, UTC",
    "until_at": "when a silence ends, UTC",
    "escalated": "how often it went on to the next supervisor",
    "affected": "of a team alert: how many differ together",
    "team_size": "of a team alert: how many could be judged",
    "inhibited_by": "the alert that explains this one",
    "silenced_by": "the silence that muted it",
    "request": "what you asked for: help_now or break_please",
    "fault": "of a technical alert: what is broken",
    "channel": "of a technical alert: the channel",
    "version": "which text you consented to",
    "channels": "the channels you allowed",
    "high": "up to this window everything had come",
    "received": "windows that came",
    "duplicates": "windows that came twice",
    "refused": "windows that were refused",
    "gaps": "windows that never came, from and to",
    "asked_at": "when it was asked",
    "receipt": "number of the receipt",
}
_STARTS: dict[str, str] = {
    "absent_": "why {} gave nothing",
    "quality_": "how far {} can be trusted, 0 to 1",
    "level_": "{}: how far from your usual, -2 (well below) to 2 (well above)",
    "share_": "share of the minute's windows that were {}",
}
_ENDS: dict[str, str] = {
    "_min": "least value: {}",
    "_max": "greatest value: {}",
    "_n": "how many windows had it: {}",
}


def explain(column: str) -> str:
    """Return what `column` means, with its unit; empty if nobody has said."""
    if column in _COLUMNS:
        return _COLUMNS[column]
    for start, text in _STARTS.items():
        if column.startswith(start):
            return text.format(column.removeprefix(start))
    for name in (column, f"feature.{column}"):
        if name in VARIABLES:
            found = VARIABLES[name]
            return f"{found.meaning} [{found.unit}]"
    if column in FIELDS:
        return FIELDS[column].meaning
    for end, text in _ENDS.items():
        if column.endswith(end) and (meaning := explain(column.removesuffix(end))):
            return text.format(meaning)
    return ""
