"""Everything a board says about itself, asked once."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.bench.board_feed import PARTS
from firmware_bridge.bench.conversation import Conversation
from firmware_bridge.bench.watching import Health, printable
from firmware_bridge.protocol.messages import Encoding, Get, Key, Part, Status

STATUS = {
    Status.KEPT: "kept without power",
    Status.UNTIL_POWER_OFF: "until power-off",
    Status.UNKNOWN: "not known to the board",
    Status.REFUSED: "refused",
    Status.FIXED: "cannot be changed",
    Status.BUSY: "busy",
}


@dataclass(frozen=True, slots=True)
class InspectedStream:
    """What one stream measures; a value is ``raw * scale + offset``.

    Parameters
    ----------
    stream : int
    signal, unit : str
    width : int
        Values per sample.
    encoding : str
        ``i16``, ``i32`` or ``f32``.
    rate_hz : float
        Nominal. [1/s]
    scale, offset : float
    rate_setting : str
        What the board says when asked for its rate.
    """

    stream: int
    signal: str
    unit: str
    width: int
    encoding: str
    rate_hz: float
    scale: float
    offset: float
    rate_setting: str


@dataclass(frozen=True, slots=True)
class InspectedBoard:
    """What one board says about itself.

    Parameters
    ----------
    port, maker, model, firmware, device_id : str
    boot : int
        Number of its start.
    tick_hz : int
        Of its clock. [1/s]
    streams : tuple of InspectedStream
    device_id_setting : str
        What the board says when asked for its device id.
    health : Health
        Contact, battery, faults, losses and clock.
    answers : bool
        Whether it answers when it is asked for its settings.
    trouble : str
        Why it is not read as it is; else empty.
    """

    port: str
    maker: str
    model: str
    firmware: str
    device_id: str
    boot: int
    tick_hz: int
    streams: tuple[InspectedStream, ...]
    device_id_setting: str
    health: Health
    answers: bool = True
    trouble: str = ""


def inspect_board(talking: Conversation, port: str, seconds: float) -> InspectedBoard:
    """Ask a board for everything, and listen for a while.

    Parameters
    ----------
    talking : Conversation
    port : str
    seconds : float
        How long to wait for battery and clock. [s]

    Raises
    ------
    DeviceError
        If it does not say who it is; names what it does instead.
    """
    hello = talking.introduced()
    streams = [
        InspectedStream(
            number,
            printable(s.signal),
            printable(s.unit),
            s.width,
            Encoding(s.encoding).name.lower(),
            s.rate_mhz / 1e3,
            s.scale,
            s.offset,
            _setting(talking, Key.RATE, number),
        )
        for number, s in sorted(talking.feed.session.streams.items())
    ]
    device_id = _setting(talking, Key.DEVICE_ID, 0)
    talking.listen(lambda: _is_known(talking.feed.health()), seconds)
    return InspectedBoard(
        port,
        printable(hello.maker),
        printable(hello.model),
        printable(hello.firmware),
        printable(hello.device_id),
        hello.boot,
        hello.tick_hz,
        tuple(streams),
        device_id,
        talking.feed.health(),
        not talking.is_deaf,
        talking.feed.trouble(port),
    )


def _is_known(health: Health) -> bool:
    clock = health.clock
    return health.battery_percent is not None and clock is not None and clock.error_ms is not None


def _setting(talking: Conversation, key: Key, index: int) -> str:
    answer = talking.ask(Get(key, index))
    if answer is None:
        return "not told"
    if answer.status is not Status.KEPT:
        return STATUS[answer.status]
    return value_words(key, answer.value)


def value_words(key: int, value: bytes) -> str:
    """Return a setting's value for people.

    Examples
    --------
    >>> value_words(2, (64_000).to_bytes(4, "little")), value_words(1, b"")
    ('64 per s', 'none')
    """
    if key == Key.RATE and len(value) == 4:
        return f"{int.from_bytes(value, 'little') / 1e3:g} per s"
    if key == Key.DEVICE_ID:
        return printable(value.decode("utf-8", errors="replace")) or "none"
    return value.hex()


def unanswered(health: Health) -> str:
    """Return what may be amiss with a board that answers for none of its settings."""
    if health.clock is None or health.clock.error_ms is None:
        return "the board answers nothing; is its receive line (RX) wired to this port?"
    return "the board answers when it is asked for its clock, but not for its settings; see hardware.md, SET and GET"


def board_lines(board: InspectedBoard) -> list[str]:
    """Return what was found as lines of text."""
    health = board.health
    lines = [
        f"{board.port}: {board.maker} {board.model}",
        f"firmware     {board.firmware}",
        f"device id    {board.device_id or 'none yet; give one with provision'}",
        f"start        {board.boot}",
        f"clock        {board.tick_hz} ticks per s, {_clock_words(health)}",
    ]
    for part in Part:
        on = health.contact.get(PARTS[part])
        if on is not None:
            lines.append(f"contact      {PARTS[part]} {'on' if on else 'off'} the skin")
    percent, charging = health.battery_percent, ", charging" if health.charging else ""
    battery = "not said yet" if percent is None else f"{percent} %{charging}"
    lines.append(f"battery      {battery}")
    lines += [f"fault        {fault}" for fault in health.faults]
    lines += [f"stream {s.stream:<2}    {_stream_words(s)}" for s in board.streams]
    if not board.answers:
        lines.append(f"settings     {unanswered(health)}")
    if board.trouble:
        lines.append(f"trouble      {board.trouble}")
    counts = health.counts
    lines.append(
        f"heard        {counts['frames']} frames, {counts['lost']} lost, "
        f"{counts['refused']} refused"
    )
    return lines


def _clock_words(health: Health) -> str:
    error_ms = None if health.clock is None else health.clock.error_ms
    return "does not answer" if error_ms is None else f"times known to {error_ms:.1f} ms"


def _stream_words(s: InspectedStream) -> str:
    width = f" x {s.width}" if s.width > 1 else ""
    offset = f" {s.offset:+g}" if s.offset else ""
    return (
        f"{s.signal} [{s.unit}], {s.rate_hz:g} per s (setting: {s.rate_setting}), "
        f"{s.encoding}{width}, raw x {s.scale:g}{offset}"
    )
