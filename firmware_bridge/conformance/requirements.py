"""The requirements of the serial protocol, as one table; each is a function over a trace; pure.

The same table stands in hardware.md, *How to pass check*; a test keeps them
equal. Each judges one thing: what is amiss because frames were lost or could
not be read is left to the requirement that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firmware_bridge.conformance import answering, beating, measuring, speaking
from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.verdict import Requirement, Verdict, not_applicable


def _once_heard(judge: Callable[[Analysis], Verdict]) -> Callable[[Analysis], Verdict]:
    """Return `judge` for boards of which at least one frame could be read."""

    def judged(analysis: Analysis) -> Verdict:
        if not analysis.of_board:
            return not_applicable("no frame could be read")
        return judge(analysis)

    return judged


def _asking(judge: Callable[[Analysis], Verdict]) -> Callable[[Analysis], Verdict]:
    """Return `judge` for boards that can be asked."""

    def judged(analysis: Analysis) -> Verdict:
        if analysis.trace.is_one_way:
            return not_applicable("--one-way: the board was not asked")
        return judge(analysis)

    return _once_heard(judged)


_ROWS: Sequence[tuple[str, str, str, Callable[[Analysis], Verdict]]] = (
    ("alive", "Something is sent at least every 2 s.", "repeat HELLO when there is nothing else to say; look at cable, supply and resets", speaking.alive),
    ("framing", "Every piece between two zero bytes is a frame: stuffing, length, CRC and version are right.", "compare with `firmware-bridge vectors`; check --baud; keep other prints (boot messages, logs) off the port, they belong into LOG", speaking.framing),
    ("own-types", "The board sends none of the types that only a host sends.", "switch the echo of the port off; look for a short between RX and TX", _once_heard(speaking.own_types)),
    ("counter", "Each frame's counter is one more than the last one's, whatever its type; nothing is lost, sent twice or out of order.", "use one counter for all types, counted when the frame is sent; wait instead of dropping when the port is full", _once_heard(speaking.counter)),
    ("texts", "Texts are UTF-8 and not longer than allowed; the level of a LOG is 0 to 3.", "cut texts between characters, and put their length in bytes in front", _once_heard(speaking.texts)),
    ("stays-up", "The board does not restart while it is connected: `boot` stays.", "look at its watchdog, supply and stack; `boot` must not change between starts", _once_heard(speaking.stays_up)),
    ("hello", "HELLO answers each HELLO_REQUEST within 500 ms.", "read the port also while measuring; check that RX is connected, or use --one-way", _asking(speaking.hello)),
    ("hello-unasked", "HELLO comes with its STREAMs at least every 10 s without being asked for.", "send HELLO, STREAM and CONTACT by a timer", _once_heard(speaking.hello_unasked)),
    ("identity", "HELLO is complete and possible: maker, model and firmware are not empty, `tick_hz` is 1 000 to 10 000 000, `device_id` is as described; nothing of it changes by itself.", "fill every field of HELLO from constants and from the settings", _once_heard(speaking.identity)),
    ("streams", "Behind HELLO stands one STREAM for each of its streams; only a HELLO that breaks a silence may stand alone.", "send as many STREAM frames as HELLO announces, each with its own number, right behind it", _once_heard(speaking.streams)),
    ("contact", "Behind the STREAMs stands CONTACT for each part the board can tell, always for the same ones.", "send CONTACT for each part behind the last STREAM, too, not only on changes", _once_heard(speaking.contact)),
    ("catalogue", "Each STREAM names a signal of the catalogue or a raw waveform, with its unit, width and rate, and possible numbers; no two the same.", "spell signal and unit as in hardware.md, *Signals a module may deliver* and the table of raw waveforms", _once_heard(measuring.catalogue)),
    ("described-first", "No SAMPLES come of a stream that was not described since the start.", "send STREAM before the first SAMPLES, for every stream number in use", _once_heard(measuring.described_first)),
    ("samples", "SAMPLES are complete: at least one sample, and as many raw values as announced.", "count times width values of the described encoding must follow `step`", _once_heard(measuring.samples)),
    ("values", "What is measured lies within the range of its signal.", "check scale, offset and encoding in STREAM; say *not measured* instead of a value that cannot be", _once_heard(measuring.values)),
    ("not-repeated", "Raw waveforms and skin conductance move; a value that was not measured is not repeated.", "send the value that says *not measured* (the lowest integer, or NaN) when the sensor gives nothing", _once_heard(measuring.not_repeated)),
    ("rate", "Each stream brings as many samples per second as described, to within 10 %.", "describe the rate the sensor is really set to", _once_heard(measuring.rate)),
    ("steps", "`first` and `step` say when the samples were taken: the next frame goes on where this one ends, or after a pause of more than 1 s.", "measure `step` instead of copying the nominal rate; say FAULT 4 when samples were lost on the board", _once_heard(measuring.steps)),
    ("fresh", "Samples arrive at most 1 s after they were measured, and not before.", "send smaller frames more often; take `first` when the sample is taken", _once_heard(measuring.fresh)),
    ("clock", "Ticks are one steady clock: it neither stops nor jumps, and is off by at most 2 %.", "use a free-running timer that also runs in sleep; check `tick_hz` and the oscillator", _once_heard(measuring.clock)),
    ("time-answer", "TIME answers each TIME_REQUEST within 500 ms, with its token; `received` is not after `sent`, nor before the request.", "answer at once, with ticks of the same clock as the samples", _asking(measuring.time_answer)),
    ("beats", "BEATS go forward in time and are sent at most 4 s after they were, none without contact; their intervals agree with their times, and no `ppg` stream is sent beside them.", "take `at` and `interval` from the same ticks; send 0 as interval when a beat was missed; drop beats that are older", _once_heard(beating.beats)),
    ("battery", "BATTERY is possible: 0 to 100 % or 255, charging 0, 1 or 255.", "send 255 for what is not known", _once_heard(speaking.battery)),
    ("faults", "FAULT names a described stream or 255, and a code of the table or above 0x8000; while it lasts it comes again with each HELLO.", "use the codes of hardware.md, and the numbers of the streams; say what lasts again behind CONTACT", _once_heard(speaking.faults)),
    ("set-get", "SETTING answers each SET and GET within 500 ms and names the counter, key and index of the frame it answers; GET says status 0 or 2; a SET that comes twice gives the same answer twice.", "copy counter, key and index from the request; answer also what is refused", _asking(answering.set_get)),
    ("in-force", "What SETTING confirms is in force: GET and the next HELLO say the same.", "answer with the value that was read back, not with the one that came", _asking(answering.in_force)),
    ("unknown-key", "An unknown key is answered with status 2 and an empty value.", "answer keys you do not have; do not stay silent", _asking(answering.unknown_key)),
    ("refuses", "A value that the key cannot have is refused with the one in force: no such device id, a rate of 0.", "check values before they are taken; answer status 3 with the value in force", _asking(answering.refuses)),
    ("rate-setting", "A rate that is set is answered with the one in force, and STREAM follows anew; or it is refused.", "send STREAM behind SETTING, or answer status 4", _asking(answering.rate_setting)),
    ("ignores-garbage", "Noise, damaged and overlong frames and types of later versions change nothing: the next request is answered.", "clear the receive buffer at each zero byte; never wait for the rest of a frame", _asking(answering.ignores_garbage)),
)  # fmt: skip

REQUIREMENTS: tuple[Requirement[Analysis], ...] = tuple(Requirement(*row) for row in _ROWS)
"""Every requirement on a serial board, in the order in which they are reported."""

NOT_TESTED: tuple[tuple[str, str], ...] = (
    ("power-up-zero", "The first byte after power-up is a zero."),
    ("new-boot", "`boot` is another number after each start."),
    ("kept", "What was set with status 0 is still there after the power was off."),
    ("release", "`firmware` changes with each release."),
    ("no-person", "`device_id` is never a person's name."),
    ("at-once", "CONTACT and FAULT are sent as soon as something changes."),
    (
        "sleep",
        "Ticks go on while the board sleeps for longer than the check lasts, and over a wrap.",
    ),
    ("truth", "What is sent was measured, and in the unit that is said."),
)
"""Requirements that the host cannot see; for the maker to make sure of."""


def serial_requirement_ids() -> tuple[str, ...]:
    """Return the ids, in order."""
    return tuple(requirement.id for requirement in REQUIREMENTS)
