"""Serial ports: the only importer of pyserial."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from sensors.errors import DeviceError, MissingExtraError

READ_WITHIN_S = 0.2
"""How long one read waits for the first byte. [s]"""

WRITE_WITHIN_S = 2.0
"""A board that takes nothing for so long is gone. [s]"""

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


class SerialPort:
    """One open port, for this process alone.

    Parameters
    ----------
    port : str
    baud : int
        Speed; without meaning on USB CDC. [1/s]

    Raises
    ------
    DeviceError
        If it cannot be opened; says what to do.
    MissingExtraError
        If pyserial is not installed.
    """

    def __init__(self, port: str, baud: int) -> None:
        self._port = port
        driver = _driver()
        try:
            self._serial = driver.Serial(
                port,
                baud,
                timeout=READ_WITHIN_S,
                write_timeout=WRITE_WITHIN_S,
                exclusive=True,
            )
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
            first: bytes = self._serial.read(1)
            waiting = min(self._serial.in_waiting, _CHUNK_BYTES) if first else 0
            return first + self._serial.read(waiting) if waiting else first
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
            self._serial.write(data)
        except (OSError, TypeError):
            raise DeviceError(f"{self._port} is gone; plug the board in again") from None

    def cancel(self) -> None:
        """End a read that another thread is waiting in."""
        self._serial.cancel_read()

    def close(self) -> None:
        """Release the port."""
        self._serial.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


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
