"""A damaged outbox: what can be read goes on, what cannot is counted, nothing is made up."""

import random

import pytest

from sensors.edge.outbox import Key, Outbox
from tests.sensors.edge.test_outbox import CIPHER, NOW, filled, window

COUNT = 60


def damaged(content: bytes, luck: random.Random) -> bytes:
    """Return `content` with a page, a few bytes or its end gone."""
    changed = bytearray(content)
    kind = luck.choice(("page", "bytes", "zeros", "end"))
    at = luck.randrange(0, len(changed) - 4096)
    if kind == "page":
        at -= at % 4096
        changed[at : at + 4096] = luck.randbytes(4096)
    elif kind == "zeros":
        changed[at : at + 512] = bytes(512)
    elif kind == "end":
        del changed[at:]
    else:
        for _ in range(luck.randrange(1, 20)):
            changed[luck.randrange(len(changed))] ^= 1 << luck.randrange(8)
    return bytes(changed)


def test_whatever_is_damaged_nothing_is_made_up_and_the_loss_is_counted(tmp_path):
    original = tmp_path / "original.sqlite"
    filled(original, COUNT).close()
    content = original.read_bytes()
    luck = random.Random(3)
    rescued = 0
    for number in range(60):
        path = tmp_path / str(number) / "o.sqlite"
        path.parent.mkdir()
        path.write_bytes(damaged(content, luck))
        outbox = Outbox(path, CIPHER)
        first = outbox.take_notes()
        loaded = [outbox.load(key) for key in outbox.keys()]  # noqa: SIM118 - not a mapping
        good = [message.seq for message in loaded if message is not None]
        for message in filter(None, loaded):
            assert message.heart == window(seq=message.seq).heart
        assert outbox.held == len(good) + outbox.locked  # its head damaged: like another key
        lost = COUNT - len(good)
        said = [*first, *outbox.take_notes()]
        if lost:
            assert said, f"damage {number}: {lost} windows lost without a word"
        rescued += bool(first) and bool(good)
        outbox.put([window("run00001", 0)], NOW)
        outbox.close()
        outbox = Outbox(path, CIPHER)
        assert outbox.keys()[-1] == Key("run00001", 0)
        outbox.close()
    assert rescued > 8


@pytest.mark.parametrize("page", range(4, 12))
def test_of_one_lost_page_every_window_is_counted(tmp_path, page):
    path = tmp_path / "o.sqlite"
    filled(path, COUNT).close()
    content = bytearray(path.read_bytes())
    content[4096 * page : 4096 * (page + 1)] = b"\xee" * 4096
    path.write_bytes(content)
    outbox = Outbox(path, CIPHER)
    assert outbox.held + outbox.dropped == COUNT
    assert outbox.held >= COUNT - 30
    outbox.close()
