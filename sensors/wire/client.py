"""paho's client over a socket that is read and written in gulps: the only importer of paho."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sensors.errors import BrokerError
from sensors.wire.bell import Bell
from sensors.wire.gulps import Gulps
from sensors.wire.packets import Confirmed, Published

# Then what waits to be sent has its turn: by time, since paho reads as many packets at a call as
# it has messages unconfirmed, and whoever takes them may be slow.
_READING_S = 0.02

# MQTT 3.1.1 has neither with a confirmation; paho would make an empty one of each for each.
_NO_REASON = ReasonCode(PacketTypes.PUBACK)
_NO_PROPERTIES = Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]


PahoClient: TypeAlias = paho.Client
"""What paho says it passes to callbacks."""
Message: TypeAlias = paho.MQTTMessage
Reason: TypeAlias = ReasonCode

MOST_UNCONFIRMED = 60_000
"""Of 65,535 numbers; some are left to subscribe with, and to find one that is free."""


class Client(paho.Client):
    """paho's client, which reads and writes in gulps, and leaves in order at any moment.

    Most of paho's work was asking the system for single bytes and about single
    packets: here it sees the first packet of each gulp, and whatever is no
    message and no confirmation. Asked to disconnect while it connects, it would
    leave an open connection behind, and the broker would send the will once that
    was found by the garbage collector.
    """

    on_gulped: Callable[[Published], None]
    linger_s = 0.0
    is_leaving = False

    def __init__(
        self, client_id: str = "", *, clean_session: bool = True, manual_ack: bool = False
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean_session,
            manual_ack=manual_ack,
        )

    def leave(self) -> None:
        """Disconnect, also from what is only being connected to; end the thread, close everything."""
        thread = self._thread  # paho forgets it when it ends, and may do so at any moment from here
        self.is_leaving = True
        self.disconnect()
        self._thread_terminate = True
        if thread is None or thread is threading.current_thread():
            return
        thread.join()
        self._reset_sockets()

    def reconnect(self) -> MQTTErrorCode:
        """Connect; say goodbye at once if there was nobody yet to say it to when that was asked."""
        code = super().reconnect()
        if self.is_leaving:
            self.disconnect()
        return code

    def disconnect(self, *given: Any, **named: Any) -> MQTTErrorCode:
        """Say goodbye after all that waits: paho closes the socket behind its last packet."""
        if sock := self.gulps():
            sock.gather_no_more()
        return super().disconnect(*given, **named)

    @property
    def unconfirmed(self) -> int:
        """How many messages the broker has not confirmed."""
        return len(self._out_messages)

    def publish(self, *given: Any, **named: Any) -> paho.MQTTMessageInfo:
        """Take a message; paho drops it without a word where it has no number left.

        Raises
        ------
        BrokerError
            If the broker has left so many unconfirmed.
        """
        if named.get("qos") and self.unconfirmed >= MOST_UNCONFIRMED:
            raise BrokerError(f"the broker has not confirmed {self.unconfirmed} messages")
        return super().publish(*given, **named)

    def _mid_generate(self) -> int:
        # Not one that is in flight, also not for what is never confirmed: paho reports that as
        # sent by the same number, and it would be taken for the confirmation of the other.
        while (number := super()._mid_generate()) in self._out_messages:
            continue
        return number

    def gulps(self) -> Gulps | None:
        """Return the socket of this connection."""
        return cast("Gulps | None", self.socket())

    def _create_socket(self) -> Any:
        return Gulps(cast("socket.socket", super()._create_socket()))

    def loop_start(self) -> MQTTErrorCode:
        """Begin; the network thread is woken once for all that is to be sent, not for each."""
        code = super().loop_start()
        # Both ends stay as they are under the bell: whoever has rung already is heard.
        bell = Bell(cast("socket.socket", self._sockpairR), cast("socket.socket", self._sockpairW))
        self._sockpairR = self._sockpairW = cast("socket.socket", bell)
        return code

    def wake(self) -> None:
        """Have the network thread send what waits."""
        if bell := self._sockpairW:
            bell.send(b"\0")

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handle what there is to read, for as long as what is to be sent can wait."""
        if not (sock := self.gulps()):
            return super().loop_read(max_packets)
        if self.linger_s:
            time.sleep(self.linger_s)
        try:
            code = sock.hand_out(lambda: super(Client, self).loop_read(), self._take, _READING_S)
        except Exception:  # noqa: BLE001 - a bug of whoever is called back, told as one below
            return self._hang_up()
        if not code and sock.has_heard():
            self._note_life()
        return code

    def _hang_up(self) -> MQTTErrorCode:
        """Tell of a bug as any thread does that it ends, and begin anew instead of ending.

        Ended, nobody would read any more from what counts as connected. What
        was not confirmed comes again.
        """
        threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), self._thread)))
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)

    def _note_life(self) -> None:
        """Put off by what the broker sends that it is taken for dead.

        The answer to a ping comes after all that was on its way: with a slow
        receiver that is longer than the broker is given for it.
        """
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        if self._ping_t:
            self._ping_t = self._last_bytes_received

    def want_write(self) -> bool:
        """Return whether something waits to be sent."""
        sock = self.gulps()
        return super().want_write() or (sock is not None and sock.is_behind)

    def loop_write(self) -> MQTTErrorCode:
        """Send all that waits, together."""
        code = super().loop_write()
        if (sock := self.gulps()) and sock.flush():
            with self._msgtime_mutex:  # paho has not seen all of it, and would ping
                self._last_msg_out = time.monotonic()
        return code

    def _take(self, what: Published | Confirmed) -> None:
        if isinstance(what, Published):
            self.on_gulped(what)
            return
        with self._out_message_mutex:
            if what in self._out_messages:
                self._do_on_publish(what, _NO_REASON, _NO_PROPERTIES)
