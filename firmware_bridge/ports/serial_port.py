"""Serial ports: the only importer of pyserial.

A port is given as the system names it (``/dev/ttyACM0``, ``COM3``), by what
its USB device says of itself (``usb:2341:0043``, ``usb:2341:0043:85736`` or
``usb:85736``: vendor, product, serial number), which stays the same when the
board is plugged in again and gets another name, or as ``socket://host:port``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firmware_bridge.ports import tcp_port
from firmware_bridge.ports.closing import Closing
from sensors.aside import Aside
from sensors.errors import ConfigurationError, DeviceError, MissingExtraError

READ_WITHIN_S = 0.2
"""How long one read waits for the first byte. [s]"""

OPENED_WITHIN_S = 30.0
"""A driver that takes longer hangs. [s]"""

WRITE_WITHIN_S = 2.0
"""A board that takes nothing for so long is gone. [s]"""

USB = "usb:"

_USB = re.compile(
    r"usb:(?:(?P<hardware>[0-9a-f]{4}:[0-9a-f]{4})(?::(?P<both>.+))?|(?P<alone>.+))", re.IGNORECASE
)

_CHUNK_BYTES = 4_096

_REMEDIES = {
    errno.ENOENT: "is not there; run: firmware-bridge ports",
    errno.ENXIO: "is not there; run: firmware-bridge ports",
    errno.ENODEV: "is not there; run: firmware-bridge ports",
    errno.EACCES: "may not be opened; run: sudo usermod -aG dialout $USER, then sign in again",
    errno.EPERM: "may not be opened; run: sudo usermod -aG dialout $USER, then sign in again",
    errno.EBUSY: "is in use by another program; close it",
    errno.EAGAIN: "is in use by another program; close it",
    errno.ENOTTY: "is no serial port; run: firmware-bridge ports",
    errno.EISDIR: "is no serial port; run: firmware-bridge ports",
    errno.ECONNREFUSED: "does not answer; is the board's server running?",
}


@dataclass(frozen=True, slots=True)
class PortInfo:
    """One serial port of this machine; what is unknown is empty.

    Parameters
    ----------
    port : str
        What to give as ``--port``.
    description : str
        What the device calls itself.
    hardware : str
        USB vendor and product, such as ``2341:0043``.
    serial_number : str
        Tells two equal boards apart.
    """

    port: str
    description: str = ""
    hardware: str = ""
    serial_number: str = ""

    @property
    def lasting(self) -> str:
        """What to give as ``--port`` so that it is found under another name, too; or empty."""
        parts = (self.hardware, self.serial_number)
        return USB + ":".join(part for part in parts if part) if self.hardware else ""


def check_port(port: str, where: str) -> str:
    """Return `port` if it can be one; whether it is there is another question.

    Raises
    ------
    ConfigurationError
        If it cannot; `where` says how it was given, such as ``--port``.
    """
    if not port:
        raise ConfigurationError(f"{where} is ''; run: firmware-bridge ports")
    if port.startswith(tcp_port.SCHEME):
        tcp_port.address(port)
    elif port.casefold().startswith(USB) and _USB.fullmatch(port) is None:
        raise ConfigurationError(f"{where} is {port!r}; expected like usb:2341:0043:85736")
    return port


def choose(port: str, found: Sequence[PortInfo]) -> str:
    """Return the system's name of `port`, where that is given by its USB device.

    Parameters
    ----------
    port : str
    found : sequence of PortInfo
        The ports there are.

    Raises
    ------
    DeviceError
        If none fits, or several do.
    """
    wanted = _USB.fullmatch(port)
    if wanted is None:
        return port
    hardware, serial_number = wanted["hardware"], wanted["both"] or wanted["alone"]
    fitting = [
        info.port
        for info in found
        if (hardware is None or info.hardware == hardware.lower())
        and (serial_number is None or info.serial_number.casefold() == serial_number.casefold())
    ]
    if not fitting:
        raise DeviceError(f"{port} {_REMEDIES[errno.ENOENT]}")
    if len(fitting) > 1:
        raise DeviceError(
            f"{port} fits {', '.join(fitting)}; add the serial number: firmware-bridge ports"
        )
    return fitting[0]


def _driver() -> Any:
    """Return pyserial; imported here, so that ``--help`` answers without it."""
    try:
        import serial.tools.list_ports  # noqa: PLC0415 - see above
    except ImportError:
        raise MissingExtraError(
            "pyserial is not installed; run: pip install 'agent-wellbeing[serial]'"
        ) from None
    return serial


def ports() -> list[PortInfo]:
    """Return the serial ports there are, by name."""
    found = _driver().tools.list_ports.comports()
    return sorted(map(_info, found), key=lambda info: info.port)


def _info(found: Any) -> PortInfo:
    usb = found.vid is not None and found.pid is not None
    return PortInfo(
        port=found.device,
        description="" if found.description in {None, "n/a"} else found.description,
        hardware=f"{found.vid:04x}:{found.pid:04x}" if usb else "",
        serial_number=found.serial_number or "",
    )


class SerialPort(Closing):
    """One open port, for this process alone.

    Parameters
    ----------
    port : str
        See the head of this module.
    baud : int
        Speed; without meaning on USB CDC and TCP. [1/s]

    Attributes
    ----------
    name : str
        What the system calls it.

    Raises
    ------
    ConfigurationError
        If `port` cannot be one.
    DeviceError
        If it cannot be opened; says what to do.
    MissingExtraError
        If pyserial is not installed.
    """

    def __init__(self, port: str, baud: int) -> None:
        self._port = check_port(port, "port")
        if port.startswith(tcp_port.SCHEME):
            self.name = port
        else:
            self.name = choose(port, ports() if port.casefold().startswith(USB) else ())
        try:
            self._driver = _open(self.name, baud)
        except (OSError, ValueError) as error:
            raise DeviceError(f"{port} {_remedy(error)}") from None

    def read(self) -> bytes:
        """Return what has arrived, waiting a little for the first byte; may be empty.

        Raises
        ------
        DeviceError
            If the board was unplugged.
        """
        try:
            return self._driver.read(_CHUNK_BYTES)
        # pyserial raises TypeError when it is closed while it reads.
        except (OSError, TypeError):
            raise DeviceError(f"{self._port} is gone; plug the board in again") from None

    def write(self, data: bytes) -> None:
        """Send `data`, for boards that are asked or set before they speak.

        Raises
        ------
        DeviceError
            If the board was unplugged, or takes nothing for :data:`WRITE_WITHIN_S`.
        """
        try:
            self._driver.write(data)
        except TimeoutError:
            raise DeviceError(
                f"{self._port} takes nothing for {WRITE_WITHIN_S:g} s; does the board read its port?"
            ) from None
        except (OSError, TypeError):
            raise DeviceError(f"{self._port} is gone; plug the board in again") from None

    def cancel(self) -> None:
        """End a read that another thread is waiting in."""
        self._driver.cancel_read()

    def close(self) -> None:
        """Release the port."""
        self._driver.close()


async def opened(port: str, baud: int) -> SerialPort:
    """Return the open port; opens it beside the event loop.

    Whoever is cancelled meanwhile leaves no port open: the thread cannot be
    ended, but what it opened then is closed (TRUST T6).

    Raises
    ------
    DeviceError
        If it cannot be opened, or the system does not say for half a minute.
    """
    try:
        return await Aside("serial port").within(
            OPENED_WITHIN_S, lambda: SerialPort(port, baud), SerialPort.close
        )
    except TimeoutError:
        raise DeviceError(f"{port} does not open; unplug the board and plug it in again") from None


class _SystemPort:
    """A port of the system, with the methods of `TcpPort`."""

    def __init__(self, name: str, baud: int) -> None:
        driver = _driver()
        self._late = driver.SerialTimeoutException
        self._serial = driver.Serial(
            name, baud, timeout=READ_WITHIN_S, write_timeout=WRITE_WITHIN_S, exclusive=True
        )
        self.cancel_read = self._serial.cancel_read
        self.close = self._serial.close

    def read(self, limit: int) -> bytes:
        first: bytes = self._serial.read(1)
        waiting = min(self._serial.in_waiting, limit) if first else 0
        return first + self._serial.read(waiting) if waiting else first

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except self._late:
            raise TimeoutError("the other end takes nothing") from None


def _open(name: str, baud: int) -> _SystemPort | tcp_port.TcpPort:
    if name.startswith(tcp_port.SCHEME):
        return tcp_port.TcpPort(name, READ_WITHIN_S, WRITE_WITHIN_S)
    return _SystemPort(name, baud)


def _remedy(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in _REMEDIES:
        return _REMEDIES[number]
    # pyserial wraps these two without their number.
    if "exclusively lock" in str(error):
        return _REMEDIES[errno.EBUSY]
    if "Could not configure" in str(error):
        return _REMEDIES[errno.ENOTTY]
    return f"cannot be opened ({' '.join(str(error).split())})"
