"""How a board is examined: what is asked when, and what is noted; pure.

The board is left as it was found: what is set is set back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from firmware_bridge.conformance.trace import LATER_TYPE, Trace
from firmware_bridge.protocol.framing import Frame, encode
from firmware_bridge.protocol.messages import (
    Get,
    Hello,
    HelloRequest,
    Key,
    Set,
    Setting,
    Status,
    Stream,
    TimeRequest,
)

SHORTEST_S = 20.0
"""Below, a HELLO that nobody asked for could not be waited for. [s]"""

UNKNOWN_KEY = 127
"""A key that no version 1 has."""

_IMPOSSIBLE_ID = b"Not An Id!"
_OPENING_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
_SETTLE_S = 0.5
_TIME_EVERY_S = 1.5
_GARBAGE_BEFORE_END_S = 4.0


@dataclass(slots=True)
class Examination:
    """One check of one board.

    Parameters
    ----------
    seconds : float
        How long, at least :data:`SHORTEST_S`. [s]
    trace : Trace
        Where everything is noted.
    seed : int
        Of tokens, of the device id that is tried, and of the garbage.
    """

    seconds: float
    trace: Trace
    seed: int = 1
    _random: Random = field(init=False)
    _plan: list[tuple[float, Callable[[float], bytes]]] = field(default_factory=list)
    _is_begun: bool = False
    _streams: dict[int, Stream] = field(default_factory=dict)
    _own_id: bytes | None = None  # None until it is known
    _is_on_trial: bool = False  # another id may be in force: set, and not yet set back for sure
    _returns: set[int] = field(default_factory=set)  # counters of what sets the own id again

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - not a secret
        if not self.trace.is_one_way:
            self._plan = [(at_s, self._open) for at_s in _OPENING_S]

    def take(self, data: bytes, at_s: float) -> None:
        """Note `data`, which arrived at `at_s`, in s since the beginning."""
        for heard in self.trace.take(data, at_s):
            match heard.message:
                case Hello(device_id=device_id) if self._own_id is None:
                    self._own_id = device_id.encode()
                case Stream() as stream:
                    self._streams[stream.stream] = stream
                case Setting(key=Key.DEVICE_ID) as answer if answer.reply_to in self._returns:
                    is_settable = answer.status not in {Status.UNKNOWN, Status.FIXED}
                    if answer.value == self._own_id or not is_settable:
                        self._is_on_trial = False
            if heard.frame.type == Hello.TYPE and not self._is_begun:
                self._begin(at_s)

    def due(self, at_s: float) -> bytes:
        """Return what is to be sent at `at_s`, in s since the beginning."""
        self.trace.end_s = max(self.trace.end_s, at_s)
        data = b""
        while self._plan and self._plan[0][0] <= at_s:
            data += self._plan.pop(0)[1](at_s)
        return data

    def is_over(self, at_s: float) -> bool:
        """Return whether all has been seen."""
        return at_s >= self.seconds or self.trace.gone_s is not None

    @property
    def owed_id(self) -> bytes | None:
        """The board's own id, as long as it is not sure that the board has it; else None."""
        return self._own_id if self._is_on_trial else None

    def restore(self, at_s: float) -> bytes:
        """Return what sets the board's own id again; for a check that ends before it did so."""
        return b"\0" + self._set_id(self._own_id, at_s)  # the zero: something may be half sent

    def _begin(self, at_s: float) -> None:
        """Plan everything, once the board has said who it is."""
        self._is_begun = True
        if self.trace.is_one_way:
            return
        trial = f"check-{self._random.randrange(1 << 16):04x}".encode()
        begin_s = at_s + _SETTLE_S
        end_s = self.seconds - _GARBAGE_BEFORE_END_S
        times_s = _every(begin_s, self.seconds - 1.0, _TIME_EVERY_S)
        self._plan = [(one_s, self._ask_time) for one_s in times_s]
        self._plan += [
            (begin_s + 0.2, self._ask_hello),
            (begin_s + 1.0, self._get_id),
            (begin_s + 1.6, lambda now_s: self._set_id(trial, now_s)),
            (begin_s + 2.2, lambda now_s: self._set_id(trial, now_s)),
            (begin_s + 2.8, self._get_id),
            (begin_s + 3.4, self._ask_hello),
            (begin_s + 3.8, lambda now_s: self._set_id(_IMPOSSIBLE_ID, now_s, "impossible")),
            (begin_s + 4.2, lambda now_s: self._set_id(self._own_id, now_s)),
            (begin_s + 4.6, self._get_unknown),
            (begin_s + 5.2, self._set_unknown),
            (begin_s + 5.8, self._get_rate),
            (begin_s + 6.4, self._set_rate),
            (begin_s + 7.0, self._set_impossible_rate),
            # From here on nobody asks for HELLO: it has to come by itself.
            (end_s, self._send_garbage),
            (end_s + 0.5, lambda now_s: self._ask_hello(now_s, "after garbage")),
            (end_s + 1.2, lambda now_s: self._get_id(now_s, "after garbage")),
        ]
        self._plan.sort(key=lambda planned: planned[0])

    def _open(self, now_s: float) -> bytes:
        return self._ask_hello(now_s, "opening")

    def _ask_hello(self, now_s: float, purpose: str = "hello") -> bytes:
        # The zero ends whatever another program, or this one, may have left half sent.
        return b"\0" + self.trace.send(HelloRequest(), now_s, purpose)

    def _ask_time(self, now_s: float) -> bytes:
        return self.trace.send(TimeRequest(self._random.randrange(1 << 32)), now_s, "time")

    def _get_id(self, now_s: float, purpose: str = "id") -> bytes:
        return self.trace.send(Get(Key.DEVICE_ID, 0), now_s, purpose)

    def _set_id(self, device_id: bytes | None, now_s: float, purpose: str = "id") -> bytes:
        """Set an id, if it is known what to put back afterwards."""
        if device_id is None or self._own_id is None:
            return b""
        sent = self.trace.send(Set(Key.DEVICE_ID, 0, device_id), now_s, purpose)
        if device_id == self._own_id:
            self._returns.add(self.trace.sent[-1].counter)
        elif purpose == "id":
            self._is_on_trial, self._returns = True, set()
        return sent

    def _get_unknown(self, now_s: float) -> bytes:
        return self.trace.send(Get(UNKNOWN_KEY, 0), now_s, "unknown")

    def _set_unknown(self, now_s: float) -> bytes:
        return self.trace.send(Set(UNKNOWN_KEY, 0, b"\1"), now_s, "unknown")

    def _get_rate(self, now_s: float) -> bytes:
        return self.trace.send(Get(Key.RATE, min(self._streams, default=0)), now_s, "rate")

    def _set_rate(self, now_s: float) -> bytes:
        """Set the rate that the first stream has anyway."""
        if not self._streams:
            return b""
        stream = self._streams[min(self._streams)]
        value = stream.rate_mhz.to_bytes(4, "little")
        return self.trace.send(Set(Key.RATE, stream.stream, value), now_s, "rate")

    def _set_impossible_rate(self, now_s: float) -> bytes:
        if not self._streams:
            return b""
        asked = Set(Key.RATE, min(self._streams), bytes(4))
        return self.trace.send(asked, now_s, "impossible")

    def _send_garbage(self, now_s: float) -> bytes:
        """Return what no board may mind: noise, a wrong check sum, half and overlong frames."""
        self.trace.garbage_s = now_s
        noise = bytes(self._random.randrange(256) for _ in range(64))
        asked = bytearray(encode(Frame(Set.TYPE, 0, Set(Key.DEVICE_ID, 0, b"garbage").pack())))
        asked[-2] ^= 0x11 if asked[-2] != 0x11 else 0x22  # the check sum, and no zero of it
        half = encode(Frame(HelloRequest.TYPE, 1, b""))[:5] + b"\0"
        later = encode(Frame(LATER_TYPE, 2, b"of a later version"))
        short = encode(Frame(Set.TYPE, 3, b"\1"))
        return noise + b"\0" + bytes(asked) + half + b"\xff" * 400 + b"\0" + later + short


def _every(from_s: float, to_s: float, step_s: float) -> list[float]:
    count = max(int((to_s - from_s) / step_s), 0)
    return [from_s + k * step_s for k in range(count)]
