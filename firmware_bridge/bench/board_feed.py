"""A board that speaks our protocol, as the bench sees it; pure."""

from __future__ import annotations

import numpy as np

from firmware_bridge.bench.scanning import SHOWN_CHARS, newest_line
from firmware_bridge.bench.watching import ClockHealth, Health, Heard, Taken, printable
from firmware_bridge.protocol.events import (
    Answered,
    Described,
    Event,
    Faulted,
    FloatArray,
    Measured,
    Powered,
    Restarted,
    Said,
    Touched,
)
from firmware_bridge.protocol.messages import (
    UNKNOWN,
    WHOLE_BOARD,
    Battery,
    Fault,
    FaultCode,
    Part,
    Setting,
    Stream,
)
from firmware_bridge.protocol.session import Session
from firmware_bridge.readings.board import Readings, undescribed
from sensors.collector import Link, Note, Reading
from sensors.signals import SIGNALS

_KEPT_BYTES = 4_096

LEVELS = ("debug", "information", "warning", "error")

PARTS = {Part.PULSE: "pulse sensor", Part.SKIN: "skin electrodes"}

FAULTS = {
    FaultCode.NO_ANSWER: "sensor does not answer",
    FaultCode.SATURATED: "sensor saturated",
    FaultCode.ELECTRODE: "electrode open or shorted",
    FaultCode.OVERRUN: "samples lost on the board",
    FaultCode.SUPPLY: "supply voltage too low",
    FaultCode.SETTINGS_LOST: "settings lost, defaults in force",
}


class BoardFeed:
    """One board, from the opening of its port to its closing.

    Parameters
    ----------
    start : int
        First counter and token of ours, as of :class:`Session`.

    Attributes
    ----------
    session : Session
    answers : dict
        Answers to requests that were made through the session; whoever asks
        takes them out.
    """

    def __init__(self, start: int = 0) -> None:
        self.session = Session(start)
        self.answers: dict[int, Setting] = {}  # by the counter of what they answer
        self._readings = Readings()
        self._tail = bytearray()  # what came last, until somebody has said who it is
        self._contact: dict[str, bool] = {}
        self._channels: dict[str, str] = {}
        self._battery: Battery | None = None
        self._faults: dict[tuple[int, int], Fault] = {}

    def opened(self) -> None:
        """Take that the port was opened again, perhaps on another board."""
        self.session.reopened()

    def due(self, now_s: float) -> bytes:
        """Return what to write to the board now; may be nothing."""
        return self.session.due(now_s)

    def feed(self, data: bytes, now_s: float) -> Heard:
        """Return what `data`, which arrived at `now_s`, says."""
        if self.session.hello is None:
            self._tail += data
            del self._tail[:-_KEPT_BYTES]
        taken: list[Taken] = []
        readings: list[Reading] = []
        log: list[str] = []
        notices: list[str] = []
        for event in self.session.feed(data, now_s):
            taken += self._measured(event)
            lines = self._noticed(event)
            log += lines
            notices += [] if isinstance(event, Said) else lines
            for item in self._readings.take(event):
                if isinstance(item, Reading):
                    readings.append(item)
                    taken += self._derived(item)
                elif isinstance(item, Link):
                    self._channels[item.channel] = item.state
                elif isinstance(item, Note) and item.text:
                    log.append(item.text)
                    notices.append(item.text)
        for item in self._readings.quiet(now_s):
            if isinstance(item, Link):
                self._channels[item.channel] = item.state
        return Heard(tuple(taken), tuple(readings), tuple(log), tuple(notices))

    def _measured(self, event: Event) -> list[Taken]:
        match event:
            case Measured(stream, at_s, values):
                return [self._taken(stream, at_s, values)]
            case Described(_, streams):
                nothing = np.empty((0, 1))
                return [self._taken(stream, nothing[:, 0], nothing) for stream in streams.values()]
        return []

    def _taken(self, stream: Stream, at_s: FloatArray, values: FloatArray) -> Taken:
        """Return samples under a name of their own: two streams may measure the same signal."""
        name = printable(stream.signal)
        alike = sum(s.signal == stream.signal for s in self.session.streams.values())
        if not name or alike > 1:
            name = f"{name} stream {stream.stream}".lstrip()
        return Taken(name, printable(stream.unit), at_s, values, stream.rate_mhz / 1e3)

    def _derived(self, reading: Reading) -> list[Taken]:
        """Return what was made of a board's values; what it sent itself is shown as sent."""
        if reading.signal == "contact":
            return []  # told with the state of the board
        if any(s.signal == reading.signal for s in self.session.streams.values()):
            return []
        return [derived(reading)]

    def _noticed(self, event: Event) -> list[str]:
        """Keep what is no measurement, and return the lines to show."""
        match event:
            case Said(log):
                return [f"{LEVELS[log.level]}: {printable(log.text)}"]
            case Restarted():
                self._contact.clear()
                self._faults.clear()
                return ["the board started anew"]
            case Touched(part, on, _):
                self._contact[PARTS[part]] = on
            case Powered(battery):
                self._battery = battery
            case Faulted(fault):
                return self._faulted(fault)
            case Answered(setting):
                self.answers[setting.reply_to] = setting
        return []

    def _faulted(self, fault: Fault) -> list[str]:
        key = (fault.code, fault.stream)
        if fault.active and key in self._readings.faults:
            return []  # it lasts, and is said again with each HELLO
        self._faults = {
            one: self._faults[one] for one in self._readings.faults & self._faults.keys()
        }
        if fault.active:
            self._faults[key] = fault
        return [f"fault {'begins' if fault.active else 'ends'}: {self._fault_words(fault)}"]

    def _fault_words(self, fault: Fault) -> str:
        known = fault.code in FaultCode.__members__.values()
        words = FAULTS[FaultCode(fault.code)] if known else f"code {fault.code:#06x}"
        stream = self.session.streams.get(fault.stream)
        where = "the board" if fault.stream == WHOLE_BOARD else f"stream {fault.stream}"
        told = f" ({printable(fault.text)})" if fault.text else ""
        return f"{printable(stream.signal) if stream else where}: {words}{told}"

    def trouble(self, name: str) -> str:
        """Return what to say about the port called `name` where not all is said of who it is.

        Empty once it is.
        """
        if self.session.is_whole:
            return ""
        if self.session.hello is not None:
            return f"{name} {undescribed(self.session)}"
        return f"{name} {self._unsaid()}"

    def _unsaid(self) -> str:
        """Return what a port does on which nobody has said who it is."""
        if self.session.counts.refused.version:
            return "speaks the protocol in another version than 1; update this program"
        if self.session.counts.frames:
            return "speaks the protocol but sends no HELLO; see hardware.md, Messages"
        heard = bytes(self._tail)
        line = newest_line(heard)
        if line:
            return (
                "does not speak the protocol; it prints lines like "
                f"{line[:SHOWN_CHARS]!r}; try: --csv with a name for each column"
            )
        if heard.strip(b"\0"):  # a board that starts sends a zero before all else
            return "sends bytes that are no frames; check --baud, or their zero bytes"
        return "says nothing; is the board running, and wired to this port?"

    def health(self) -> Health:
        """Return how the board does."""
        hello = self.session.hello
        battery = self._battery
        return Health(
            board=""
            if hello is None
            else printable(f"{hello.maker} {hello.model}, firmware {hello.firmware}"),
            device_id="" if hello is None else printable(hello.device_id),
            contact=dict(self._contact),
            channels=dict(self._channels),
            battery_percent=None
            if battery is None or battery.percent == UNKNOWN
            else battery.percent,
            charging=None
            if battery is None or battery.charging == UNKNOWN
            else bool(battery.charging),
            faults=tuple(
                self._fault_words(fault)
                for key, fault in self._faults.items()
                if key in self._readings.faults
            ),
            counts=self._counts(),
            clock=None if hello is None else self._clock(),
        )

    def _counts(self) -> dict[str, int]:
        counts = self.session.counts
        refused = counts.refused
        return {
            "frames": counts.frames,
            "lost": counts.lost,
            "repeated": counts.repeated,
            "late": counts.late,
            "refused": refused.total + counts.content + counts.stale,
            "too_long": refused.too_long,
            "stuffing": refused.stuffing,
            "crc": refused.crc,
            "version": refused.version,
            "content": counts.content,
            "stale": counts.stale,
            "undescribed": counts.undescribed,
            "unknown": counts.unknown,
            "echoed": counts.echoed,
            "restarts": counts.restarts,
            "out_of_range": self._readings.out_of_range,
            "withheld": self._readings.withheld,
        }

    def _clock(self) -> ClockHealth:
        clock = self.session.clock
        drift, error_s = clock.drift_ppm, clock.error_s
        return ClockHealth(
            None if drift is None else round(drift, 1),
            round(1e3 * clock.latency_s, 2),
            None if error_s is None else round(1e3 * error_s, 2),
        )


def derived(reading: Reading) -> Taken:
    """Return a reading as what is shown of it."""
    return Taken(
        reading.signal,
        SIGNALS[reading.signal].unit,
        np.array([reading.at_monotonic_s]),
        np.array([[reading.value]]),
        quality=reading.quality,
    )
