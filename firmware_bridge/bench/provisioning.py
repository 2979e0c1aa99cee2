"""Writes settings to a board and reads them back: what counts is what it says afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.bench.conversation import Conversation
from firmware_bridge.bench.inspecting import STATUS, value_words
from firmware_bridge.bench.watching import printable
from firmware_bridge.protocol.messages import Get, Key, Set, Setting, Status, Stream
from sensors.checks import check_identity
from sensors.errors import ConfigurationError, MessageError

_SILENT = "the board did not answer"
_LEAST_HZ, _MOST_HZ = 0.001, 200.0


@dataclass(frozen=True, slots=True)
class Wish:
    """One setting as it is wanted.

    Parameters
    ----------
    name : str
        For people: ``device id``, or ``rate of eda_us``.
    key, index : int
        As in the protocol.
    value : bytes or None
        None asks only.
    """

    name: str
    key: Key
    index: int
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What became of one setting.

    Parameters
    ----------
    name : str
    before, wanted, in_force : str
        For people; `wanted` is None where it was only asked for, `in_force`
        where the board does not tell.
    status : str
        What the board says about it.
    is_done : bool
        Whether what was wanted is in force, or the nearest the board can;
        where nothing was to be written, whether the board answered.
    """

    name: str
    before: str | None
    wanted: str | None
    in_force: str | None
    status: str
    is_done: bool

    def words(self) -> str:
        """Return it as one line of text."""
        if self.wanted is None:
            return f"{self.name}: {self.status if self.in_force is None else self.in_force}"
        in_force = "not told" if self.in_force is None else self.in_force
        before = "" if self.before in {None, self.in_force} else f", before {self.before}"
        asked = "" if self.wanted == self.in_force else f", asked for {self.wanted}"
        return f"{self.name}: {in_force}{asked}{before}; {self.status}"


def parse_rate(text: str) -> tuple[str, float]:
    """Return stream and rate of ``STREAM=HZ``.

    Raises
    ------
    ConfigurationError
        If it is none, or out of range.

    Examples
    --------
    >>> parse_rate("ppg=100")
    ('ppg', 100.0)
    """
    stream, equals, rate = text.partition("=")
    try:
        rate_hz = float(rate)
    except ValueError:
        rate_hz = 0.0
    if not (stream and equals and _LEAST_HZ <= rate_hz <= _MOST_HZ):
        raise ConfigurationError(
            f"--rate is {text!r}; expected STREAM=HZ with {_LEAST_HZ:g} to {_MOST_HZ:g}, "
            "such as ppg=100"
        )
    return stream, rate_hz


def check_device_id(device_id: str) -> str:
    """Return `device_id` if it can be one; empty takes it away.

    Raises
    ------
    ConfigurationError
        If it cannot.
    """
    if device_id:
        try:
            check_identity("--device-id", device_id)
        except MessageError as error:
            raise ConfigurationError(f"{error.detail}; and never a person's name") from None
    return device_id


def wishes(
    streams: dict[int, Stream], device_id: str | None, rates: list[tuple[str, float]]
) -> list[Wish]:
    """Return the settings to write; with nothing given, all of them, to be asked for.

    Raises
    ------
    ConfigurationError
        If the board has no such stream.
    """
    if device_id is None and not rates:
        return [
            Wish("device id", Key.DEVICE_ID, 0),
            *(Wish(f"rate of {_name(streams, n)}", Key.RATE, n) for n in sorted(streams)),
        ]
    wanted = []
    if device_id is not None:
        wanted.append(Wish("device id", Key.DEVICE_ID, 0, device_id.encode()))
    for name, rate_hz in rates:
        number = _number(streams, name)
        value = round(rate_hz * 1e3).to_bytes(4, "little")
        wanted.append(Wish(f"rate of {_name(streams, number)}", Key.RATE, number, value))
    return wanted


def _name(streams: dict[int, Stream], number: int) -> str:
    return printable(streams[number].signal)


def _number(streams: dict[int, Stream], name: str) -> int:
    for number, stream in streams.items():
        if name in {str(number), stream.signal}:
            return number
    known = ", ".join(f"{n} ({_name(streams, n)})" for n in sorted(streams)) or "none"
    raise ConfigurationError(f"--rate names stream {name!r}; the board has: {known}")


def provision(talking: Conversation, wish: Wish, *, only_show: bool) -> Provisioned:
    """Write one setting unless `only_show`, and return what is in force."""
    before = talking.ask(Get(wish.key, wish.index))
    wanted = None if wish.value is None else value_words(wish.key, wish.value)
    if wish.value is None or only_show or before is None:
        status = _SILENT if before is None else STATUS[before.status]
        if wish.value is not None:
            refusal = f"{status}; " if before is None or before.status is not Status.KEPT else ""
            status = f"{refusal}nothing was written"
        return Provisioned(
            wish.name,
            _words(wish, before),
            wanted,
            _words(wish, before),
            status,
            before is not None and (only_show or wish.value is None),
        )
    told = talking.ask(Set(wish.key, wish.index, wish.value))
    after = talking.ask(Get(wish.key, wish.index))
    return Provisioned(
        wish.name,
        _words(wish, before),
        wanted,
        _words(wish, after),
        _verdict(told, after),
        _is_done(wish, told, after),
    )


def _words(wish: Wish, setting: Setting | None) -> str | None:
    if setting is None or setting.status is Status.UNKNOWN:
        return None
    return value_words(wish.key, setting.value)


def _verdict(told: Setting | None, after: Setting | None) -> str:
    if told is None:
        return _SILENT
    if after is not None and told.status in _DONE and after.value != told.value:
        return f"the board said it was {STATUS[told.status]}, and reads back otherwise"
    return STATUS[told.status]


_DONE = frozenset({Status.KEPT, Status.UNTIL_POWER_OFF})


def _is_done(wish: Wish, told: Setting | None, after: Setting | None) -> bool:
    if told is None or after is None or told.status not in _DONE:
        return False
    # A rate may be the nearest that the board can; an id is what was wanted, or wrong.
    return after.value == (wish.value if wish.key is Key.DEVICE_ID else told.value)
