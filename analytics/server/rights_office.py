"""Erasing from the command line, whether the server runs or not, by the server's own code.

A running server is asked through the table ``rights`` of its state file, which
nobody else can write. Where none runs, one is started here for as long as the
request takes: the same recovery, the same erasure, the same broker and store.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from analytics.journal.steps import StepLog
from analytics.rights import erasure as rights_erasure
from analytics.rights import requests as rights_requests
from analytics.rights.agent_state import forget
from analytics.rights.erasure import RETAINED
from analytics.rights.purge import PLACES, Purge
from analytics.rights.receipt import Done, Place, Receipt, out_of_reach
from analytics.rights.requests import ADMINISTRATOR, Kind, Request, State
from analytics.server.service import Service
from analytics.state.state_file import (
    FILE_NAME,
    StateLock,
    open_for_reading,
    open_state,
    state_errors,
)
from analytics.store.base import Query, Store
from analytics.store.points import Measurement
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import BrokerError, MessageError, StateError, StoreError
from sensors.messages import ConsentMessage, ContextMessage, StatusMessage
from sensors.mqtt import Connection, Inbound

LISTEN_S = 1.0
"""How long the broker is listened to for what it still retains. [s]"""

_LOOK_S = 0.1


def is_running(directory: Path) -> bool:
    """Return whether a server uses the state in `directory`."""
    try:
        StateLock(directory).release()
    except StateError:
        return True
    return False


def erase(directory: Path, agent: str, build: Callable[[], Service], wait_s: float) -> Receipt:
    """Erase `agent` and return the receipt as it is when done, or after `wait_s`.

    Parameters
    ----------
    directory : Path
        Of the server's state.
    agent : str
    build : callable
        Makes the server, should none run.
    wait_s : float
        How long to wait for store and broker. [s]

    Raises
    ------
    StateError
        If the state cannot be written, or the running server does not answer.
    """
    # Not a new, empty state at a mistyped place, with a receipt that everything is gone.
    open_for_reading(directory).close()
    request = Request(
        id=token_hex(8),
        agent=agent,
        kind=Kind.ERASE,
        by=ADMINISTRATOR,
        asked_at=datetime.now(UTC),
        state=State.DUE,
    )
    was_running = is_running(directory)
    with _asked(directory, request), _serving(None if was_running else build()) as failed:
        receipt = _answer(directory, request.id, wait_s, failed)
    return receipt if was_running else _compacted(directory, request.id, receipt)


@contextmanager
def _asked(directory: Path, request: Request) -> Iterator[None]:
    """Put the request into the state file; take it back if nobody got to it."""
    path = directory / FILE_NAME
    db = open_state(directory)
    try:
        with state_errors(path):
            rights_requests.put(db, request)
        yield
    except BaseException:
        with state_errors(path):
            db.execute("DELETE FROM rights WHERE id = ? AND state = 'due'", (request.id,))
        raise
    finally:
        db.close()


@contextmanager
def _serving(service: Service | None) -> Iterator[list[BaseException]]:
    """Let `service` run beside, and end it in order; yields what it failed with."""
    failed: list[BaseException] = []
    if service is None:
        yield failed
        return
    stop = threading.Event()

    def run() -> None:
        try:
            service.run(stop)
        except Exception as error:  # noqa: BLE001 - raised again on the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, name="rights-service")
    thread.start()
    try:
        yield failed
    finally:
        stop.set()
        thread.join()


def _answer(
    directory: Path, request_id: str, wait_s: float, failed: list[BaseException]
) -> Receipt:
    until = time.monotonic() + wait_s
    while True:
        db = open_for_reading(directory)
        try:
            with state_errors(directory / FILE_NAME):
                (found,) = rights_requests.find(db, request_id=request_id)
        finally:
            db.close()
        if failed:
            raise failed[0]
        is_late = time.monotonic() >= until
        if found.receipt is not None and (found.state is State.DONE or is_late):
            return found.receipt
        if is_late:
            raise StateError(
                f"the running server did not answer within {wait_s:g} s; nothing was erased: look"
                " at `wellbeing status`, or stop it and erase again"
            )
        time.sleep(_LOOK_S)


def _compacted(directory: Path, request_id: str, receipt: Receipt) -> Receipt:
    """Write the state file anew, whatever its size: nobody is waiting."""
    lock = StateLock(directory)
    try:
        db = open_state(directory)
        try:
            place = rights_erasure.compact(db, directory / FILE_NAME, most=1 << 62)
            after = receipt.with_place(place)
            (found,) = rights_requests.find(db, request_id=request_id)
            rights_requests.settle(db, request_id, found.state, after)
        finally:
            db.close()
    finally:
        lock.release()
    return after


def exported(directory: Path, agent: str) -> None:
    """Note that a copy was made; the server, now or at its next start, tells the agent."""
    now = datetime.now(UTC)
    db = open_state(directory)
    try:
        with state_errors(directory / FILE_NAME):
            rights_requests.settle_asked(db, agent, Kind.EXPORT)
            request = Request(
                id=token_hex(8),
                agent=agent,
                kind=Kind.EXPORT,
                by=ADMINISTRATOR,
                asked_at=now,
                state=State.DUE,
            )
            rights_requests.put(db, request)
    finally:
        db.close()


def would_erase(directory: Path, site: str, agent: str, store: Store) -> Receipt:
    """Count what an erasure would find; nothing is changed.

    Raises
    ------
    StateError, StoreError
        If the state cannot be read.
    """
    path = directory / FILE_NAME
    db = open_for_reading(directory)
    try:
        with state_errors(path):
            snapshot = StepLog(db, path).snapshot()
            counts = Purge(db, agent).count()
    finally:
        db.close()
    places = [
        Place(name=name, done=Done.FOUND, count=counts[name], note=what)
        for name, what in PLACES.items()
    ]
    if snapshot is not None:
        _, found = forget(snapshot.data, agent)
        count = found.rows + found.entries
        places.append(Place(name=rights_erasure.STATE, done=Done.FOUND, count=count))
    try:
        held = sum(
            store.count(Query(measurement=m, site=site, agents=(agent,))) for m in Measurement
        )
        places.append(Place(name=rights_erasure.STORE, done=Done.FOUND, count=held))
    except StoreError as error:
        places.append(Place(name=rights_erasure.STORE, done=Done.FAILED, note=str(error)))
    return Receipt(
        id="",
        site=site,
        agent=agent,
        at=datetime.now(UTC),
        by=ADMINISTRATOR,
        places=(*places, *out_of_reach()),
    )


def checked_on_broker(receipt: Receipt, settings: BrokerSettings) -> Receipt:
    """Return `receipt` with what the broker still retains of the agent, by its own word."""
    try:
        left = retained_of(receipt, settings)
    except BrokerError:
        return receipt  # the receipt says already what waits
    if not left:
        return receipt
    place = Place(
        name=RETAINED,
        done=Done.FAILED,
        count=len(left),
        note=f"the broker still keeps {', '.join(left)}: let the server's account write there"
        " (deploy/mosquitto/acl) and erase again",
    )
    return replace(receipt).with_place(place)


def retained_of(receipt: Receipt, settings: BrokerSettings) -> list[str]:
    """Return the agent's topics that the broker retains something on from before.

    Raises
    ------
    BrokerError
        If there is no broker.
    """
    site, agent = receipt.site, receipt.agent
    heard: dict[str, bytes] = {}

    def note(inbound: Inbound) -> None:
        if inbound.retained and inbound.payload:
            heard[inbound.topic] = inbound.payload

    branch = topics.consent(site, agent).removesuffix("consent")
    connection = Connection(
        settings,
        client_id=f"wellbeing-rights-{token_hex(4)}",
        subscriptions=(f"{branch}#", topics.context(site, agent)),
        on_message=note,
    )
    connection.start()
    try:
        connection.wait_connected(10.0)
        time.sleep(LISTEN_S)  # what is retained comes at once; nothing says that it was all
    finally:
        connection.stop()
    return sorted(t for t, payload in heard.items() if _is_from_before(t, payload, receipt.at))


def _is_from_before(topic: str, payload: bytes, at: datetime) -> bool:
    """Return whether it was said before `at`: a running edge goes on saying that it runs."""
    with suppress(MessageError):
        kind = topics.DELIVERY[topics.parse(topic).kind].message
        message = codec.decode(payload, kind)
        if isinstance(message, ConsentMessage | ContextMessage | StatusMessage):
            return message.at <= at
    return True
