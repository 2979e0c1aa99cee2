"""Which input is the agent's own microphone, and which are not. Pure.

An output's monitor carries what is played: the far end of the call, a person
who was never asked (TRUST T1). It is refused where it can be recognised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sensors.errors import DeviceError

_LOOPBACK = re.compile(
    # PulseAudio and PipeWire; WASAPI; ALSA's snd-aloop
    r"\bmonitor of\b|\.monitor\b|\bloopback\b"
    # Windows drivers' names for what is played
    r"|stereo ?mix|wave ?out mix|what u hear"
    # the same two where the system speaks Chinese, or another language with such a name
    r"|的监视器|的監視器|\b(?:monitor|moniteur) (?:von|der|de|di|van)\b"
    r"|立体声混音|立體聲混音|mixage st[ée]r[ée]o|mezcla est[ée]reo|missaggio stereo|mixagem est[ée]reo"
    # macOS has none of its own; these are the usual virtual cables
    r"|blackhole|soundflower",
    re.IGNORECASE,
)
_ROUTED = frozenset({"default", "pulse", "pipewire", "sysdefault"})
"""ALSA's names for what a sound server, not ALSA, connects to an input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input as the driver lists it.

    Parameters
    ----------
    index : int
        Its number there.
    name, host : str
        Its name, and that of the system's interface it is reached by.
    channels : int
    sample_rate : int
        What it does when not asked for another. [Hz]
    is_default : bool
        The system's choice.
    """

    index: int
    name: str
    host: str
    channels: int
    sample_rate: int
    is_default: bool = False

    @property
    def is_routed(self) -> bool:
        """Whether a sound server decides what is behind it."""
        return self.name in _ROUTED


def is_loopback(name: str) -> bool:
    """Return whether `name` is recognisably that of an output's monitor.

    Examples
    --------
    >>> is_loopback("Monitor of USB Headset"), is_loopback("USB Headset")
    (True, False)
    """
    return _LOOPBACK.search(name) is not None


def choose(inputs: Sequence[Input], wanted: str, *, allow_monitor: bool = False) -> Input:
    """Return the input called `wanted`, or the system's default where that is empty.

    The whole name comes before a part of it, the system's default and the
    interface listed first (Windows lists each device under several) before others.

    Raises
    ------
    DeviceError
        If there is none, or it is an output's monitor; names those there are.
    """
    if wanted:
        name = wanted.casefold()
        found = [i for i in inputs if i.name.casefold() == name]
        found = found or [i for i in inputs if name in i.name.casefold()]
        missing = f"no microphone is called {wanted!r}"
    else:
        found = [i for i in inputs if i.is_default]
        missing = "the system has no default microphone"
    if not found:
        raise DeviceError(f"no microphone can be opened: {missing}; {_advice(inputs)}")
    allowed = [i for i in found if allow_monitor or not is_loopback(i.name)]
    if not allowed:
        refuse_monitor(found[0].name, inputs)
    return min(allowed, key=lambda i: not i.is_default)


def refuse_monitor(name: str, inputs: Sequence[Input]) -> None:
    """Say why the monitor called `name` is not listened to.

    Raises
    ------
    DeviceError
        Always.
    """
    raise DeviceError(
        f"no microphone can be opened: {name!r} is an output's monitor: it hears what is played,"
        f" the far end of a call, not the agent; {_advice(inputs)}"
        " ([voice] allow_monitor is for trials with a virtual microphone)"
    )


def default_source(info: str) -> str:
    r"""Return the name of the default source in what ``pactl info`` says, or nothing.

    Examples
    --------
    >>> default_source("Default Sink: desk\nDefault Source: desk.monitor\n")
    'desk.monitor'
    """
    found = re.search(r"^Default Source: (\S+)$", info, re.MULTILINE)
    return found[1] if found else ""


def streams_of(pid: int, source_outputs: str) -> set[int]:
    r"""Return the numbers of the sources that a process reads, by ``pactl list source-outputs``.

    Examples
    --------
    >>> said = 'Source Output #7\n\tSource: 3\n\t\tapplication.process.id = "42"\n'
    >>> streams_of(42, said), streams_of(43, said)
    ({3}, set())
    """
    streams = re.split(r"^Source Output #\d+$", source_outputs, flags=re.MULTILINE)[1:]
    owner = re.compile(rf'^\s*application\.process\.id = "{pid}"$', re.MULTILINE)
    source = re.compile(r"^\s*Source: (\d+)$", re.MULTILINE)
    return {int(one) for each in streams if owner.search(each) for one in source.findall(each)}


def source_names(sources: str) -> dict[int, str]:
    r"""Return the sources' names by number, by ``pactl list short sources``.

    Examples
    --------
    >>> source_names("3\tdesk.monitor\tmodule-null-sink.c\ts16le 1ch 16000Hz\tIDLE\n")
    {3: 'desk.monitor'}
    """
    lines = (line.split("\t") for line in sources.splitlines())
    return {int(line[0]): line[1] for line in lines if len(line) > 1 and line[0].isdigit()}


def _advice(inputs: Sequence[Input]) -> str:
    names = list(dict.fromkeys(i.name for i in inputs if not is_loopback(i.name)))
    known = f"known: {', '.join(map(repr, names))}" if names else "this machine has none"
    return (
        "plug one in, allow this program to use it, or set [voice] device to (part of) its name;"
        f" {known}"
    )
