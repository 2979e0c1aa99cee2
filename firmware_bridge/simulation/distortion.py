"""Faults of what a board says: one message in, what is said instead out; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_bridge.protocol.messages import (
    Battery,
    Beats,
    Contact,
    Encoding,
    Fault,
    FromBoard,
    Hello,
    Log,
    Samples,
    Setting,
    Stream,
    Time,
)
from firmware_bridge.simulation.faults import Schedule

Outgoing = tuple[int, bytes]
"""Type and payload."""

_UNDESCRIBED = 15
_NOT_UTF8 = b"\x01\x04\xff\xfe\xfd\xfc"  # a LOG


def distort(message: FromBoard, schedule: Schedule, streams: dict[int, Stream]) -> list[Outgoing]:
    """Return what a board with the faults of `schedule` says instead of `message`.

    Parameters
    ----------
    message : FromBoard
        What is right.
    schedule : Schedule
    streams : dict
        The board's streams by number.

    Returns
    -------
    list of (int, bytes)
        Types and payloads of the frames to send.
    """
    said: list[Outgoing] = [(message.TYPE, message.pack())]
    for name, change in _CHANGES.items():
        if schedule.on(name):
            changed = change(message, streams)
            said = said if changed is None else changed
    return said


def _packed(*messages: FromBoard) -> list[Outgoing]:
    return [(message.TYPE, message.pack()) for message in messages]


def _no_name(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    return _packed(replace(message, maker="")) if isinstance(message, Hello) else None


def _missing_stream(message: FromBoard, streams: dict[int, Stream]) -> list[Outgoing] | None:
    concerned = isinstance(message, Stream | Samples) and message.stream == max(streams)
    return [] if concerned else None


def _wrong_unit(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Stream) or message.signal != "eda_us":
        return None
    return _packed(replace(message, unit="nS"))


def _unknown_signal(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Stream) or message.signal != "skin_temp_c":
        return None
    return _packed(replace(message, signal="body_heat"))


def _undescribed(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Samples) or message.stream != 0:
        return None
    return _packed(message, replace(message, stream=_UNDESCRIBED))


def _wrong_step(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Samples):
        return None
    return _packed(replace(message, step=round(message.step * 1.08)))


def _out_of_range(message: FromBoard, streams: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Samples) or streams[message.stream].encoding is not Encoding.F32:
        return None
    raw = np.frombuffer(message.raw, "<f4") * np.float32(100.0)
    return _packed(replace(message, raw=raw.tobytes()))


def _stuck(message: FromBoard, streams: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Samples) or message.stream != 0:
        return None
    one = np.ones(1, streams[0].encoding.dtype).tobytes()
    return _packed(replace(message, raw=one * (len(message.raw) // len(one))))


def _wrong_beats(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Beats):
        return None
    beats = tuple(replace(b, interval=round(b.interval * 1.2)) for b in message.beats)
    return _packed(Beats(beats))


def _contact_missing(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    return [] if isinstance(message, Contact) else None


def _bad_battery(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    return _packed(replace(message, percent=150)) if isinstance(message, Battery) else None


def _bad_utf8(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    return [(Log.TYPE, _NOT_UTF8)] if isinstance(message, Log) else None


def _bad_fault(message: FromBoard, streams: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Battery):
        return None
    return _packed(message, Fault(0, 1, max(streams) + 1, active=True, text="no such stream"))


def _short_payload(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    concerned = isinstance(message, Samples) and message.stream == 0
    return [(message.TYPE, message.pack()[:-1])] if concerned else None


def _no_time_answer(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    return [] if isinstance(message, Time) else None


def _no_setting_answer(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    return [] if isinstance(message, Setting) else None


def _wrong_reply(message: FromBoard, _: dict[int, Stream]) -> list[Outgoing] | None:
    if not isinstance(message, Setting):
        return None
    return _packed(replace(message, reply_to=(message.reply_to + 1) % (1 << 16)))


_CHANGES: dict[str, Callable[[FromBoard, dict[int, Stream]], list[Outgoing] | None]] = {
    "no_name": _no_name,
    "missing_stream": _missing_stream,
    "wrong_unit": _wrong_unit,
    "unknown_signal": _unknown_signal,
    "undescribed": _undescribed,
    "wrong_step": _wrong_step,
    "out_of_range": _out_of_range,
    "stuck": _stuck,
    "wrong_beats": _wrong_beats,
    "contact_missing": _contact_missing,
    "bad_battery": _bad_battery,
    "bad_utf8": _bad_utf8,
    "bad_fault": _bad_fault,
    "short_payload": _short_payload,
    "no_time_answer": _no_time_answer,
    "no_setting_answer": _no_setting_answer,
    "wrong_reply": _wrong_reply,
}
