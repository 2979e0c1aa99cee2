"""A message bus of the desktop; the only file that imports dbus-fast."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from dbus_fast import Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus

from sensors.errors import DeviceError

_WITHIN_S = 5.0
_DAEMON = "org.freedesktop.DBus"
_GONE = "the message bus went away"


@dataclass(frozen=True, slots=True)
class Signal:
    """What somebody on the bus announced."""

    sender: str
    path: str
    interface: str
    member: str
    body: tuple[Any, ...]


class Bus:
    """One connection: calls, properties, signals.

    Use :meth:`connect`, and :meth:`close` when done.
    """

    def __init__(self, connection: MessageBus) -> None:
        self._connection = connection
        self._signals: asyncio.Queue[Signal | None] = asyncio.Queue()
        self._connection.add_message_handler(self._take)
        self._ended = asyncio.create_task(self._watch_end())

    @classmethod
    async def connect(cls, address: str) -> Self:
        """Return a connection to the bus at `address`.

        Raises
        ------
        DeviceError
            If nobody answers there.
        """
        try:
            async with asyncio.timeout(_WITHIN_S):
                return cls(await MessageBus(bus_address=address).connect())
        except Exception as error:  # noqa: BLE001 - its documentation promises no narrower one
            raise DeviceError(f"no message bus at {address}: {_words(error)}") from None

    async def call(
        self,
        where: tuple[str, str, str],
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
    ) -> tuple[Any, ...]:
        """Return the answer to a call; never starts a service that does not run.

        Parameters
        ----------
        where : (str, str, str)
            Bus name, object path, interface.
        member, signature : str
        body : sequence

        Raises
        ------
        DeviceError
            If there is no such service or it refuses.
        """
        name, path, interface = where
        message = Message(
            destination=name,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
            flags=MessageFlag.NO_AUTOSTART,
        )
        if not self._connection.connected:
            raise DeviceError(_GONE)
        try:
            async with asyncio.timeout(_WITHIN_S):
                answer = await self._connection.call(message)
        except Exception as error:  # noqa: BLE001 - its documentation promises no narrower one
            if isinstance(error, ConnectionError) or not self._connection.connected:
                raise DeviceError(_GONE) from None
            raise DeviceError(f"{name} does not answer: {_words(error)}") from None
        if answer.message_type is MessageType.ERROR:
            raise DeviceError(f"{name} refuses {member}: {answer.error_name}")
        return tuple(plain(value) for value in answer.body)

    async def get(self, where: tuple[str, str, str], name: str) -> Any:
        """Return a property; see :meth:`call`."""
        bus_name, path, interface = where
        properties = (bus_name, path, "org.freedesktop.DBus.Properties")
        return (await self.call(properties, "Get", "ss", (interface, name)))[0]

    async def owner(self, name: str) -> str | None:
        """Return the connection behind a bus name, or ``None`` when it has none."""
        daemon = (_DAEMON, "/org/freedesktop/DBus", _DAEMON)
        if not (await self.call(daemon, "NameHasOwner", "s", (name,)))[0]:
            return None
        return str((await self.call(daemon, "GetNameOwner", "s", (name,)))[0])

    async def listen(self, rule: str) -> None:
        """Let signals that match `rule` come to :meth:`signals`."""
        daemon = (_DAEMON, "/org/freedesktop/DBus", _DAEMON)
        await self.call(daemon, "AddMatch", "s", (rule,))

    async def signals(self) -> AsyncIterator[Signal]:
        """Yield what was announced.

        Raises
        ------
        DeviceError
            When the bus goes away.
        """
        while (signal := await self._signals.get()) is not None:
            yield signal
        raise DeviceError(_GONE)

    async def close(self) -> None:
        """End the connection."""
        self._connection.disconnect()
        await self._ended

    def _take(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL:
            body = tuple(plain(value) for value in message.body)
            found = Signal(
                sender=message.sender or "",
                path=message.path or "",
                interface=message.interface or "",
                member=message.member or "",
                body=body,
            )
            self._signals.put_nowait(found)

    async def _watch_end(self) -> None:
        with contextlib.suppress(Exception):  # however it ended: `signals` says so
            await self._connection.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._signals.put_nowait(None)


def _words(error: Exception) -> str:
    """Return what an error says, in one line."""
    told = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(told.split()) or type(error).__name__


def plain(value: Any) -> Any:
    """Return `value` without D-Bus's wrapping."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
