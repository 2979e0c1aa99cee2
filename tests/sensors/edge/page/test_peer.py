"""Another person on the machine is told apart, on a real connection."""

import os
import socket
import sys

import pytest

from sensors.edge.page import peer

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells whose a connection is"
)


@pytest.fixture
def ends():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        yield client.getsockname(), server.getsockname()


@linux_only
def test_a_connection_has_the_owner_of_the_program_that_opened_it(ends):
    assert peer.owner(*ends) == os.getuid()


@linux_only
def test_one_that_is_not_there_has_none(ends):
    client, server = ends
    assert peer.owner(client, (server[0], 1)) is None
    assert peer.owner(("127.0.0.2", client[1]), server) is None


def test_where_the_system_does_not_tell(ends, monkeypatch, tmp_path):
    monkeypatch.setattr(peer, "_TABLE", tmp_path / "nothing")
    assert peer.owner(*ends) is None
