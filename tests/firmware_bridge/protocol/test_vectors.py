"""The file of test vectors: kept equal to the code, and right by others' stuffing and check sum."""

import json
import zlib
from copy import deepcopy

import pytest
from cobs import cobs

from firmware_bridge.protocol import messages, vectors
from firmware_bridge.protocol.framing import MAX_PAYLOAD

VECTORS = vectors.load()


def test_the_file_is_what_the_code_makes():
    assert vectors.text() == vectors.written(vectors.made())


def test_this_implementation_agrees_with_all_of_them():
    assert vectors.verify(VECTORS) == []


@pytest.mark.parametrize("entry", VECTORS["messages"], ids=lambda entry: entry["name"])
def test_frames_by_other_means(entry):
    """Stuffing by the cobs package, the check sum by zlib, fields by hand."""
    wire = bytes.fromhex(entry["wire"])
    assert wire[-1] == 0
    assert 0 not in wire[:-1]
    body = cobs.decode(wire[:-1])
    assert zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
    assert body[:2] == bytes((1, entry["type"]))
    assert int.from_bytes(body[2:4], "little") == entry["counter"]
    assert body[4:-4].hex() == entry["payload"]
    assert cobs.encode(body) + b"\0" == wire


def test_every_message_and_every_reason_is_there():
    kinds = {entry["message"] for entry in VECTORS["messages"]}
    assert kinds == {
        kind.__name__ for kind in (*messages.FromBoard.__args__, *messages.FromHost.__args__)
    }
    assert {entry["reason"] for entry in VECTORS["refused"]} == {
        *("too_long", "stuffing", "crc", "version", "type", "content"),
    }
    lengths = [len(entry["payload"]) // 2 for entry in VECTORS["messages"]]
    assert lengths.count(MAX_PAYLOAD) >= 2
    assert min(lengths) == 0
    counters = {entry["counter"] for entry in VECTORS["messages"]}
    assert {0, 0xFFFF} <= counters


def test_what_refused_frames_are_by_other_means():
    """What is refused for its content, type or version is whole; what is refused for less is not."""
    for entry in VECTORS["refused"]:
        wire = bytes.fromhex(entry["wire"])
        assert wire.endswith(b"\0")
        try:
            body = cobs.decode(wire[:-1])
            right = zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
            whole = right and len(body) >= 8
        except cobs.DecodeError:
            whole = False
        assert whole == (entry["reason"] in {"version", "type", "content"}), entry["name"]


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        pytest.param("messages", "wire", "0401410505cbabd79600", id="wire"),
        pytest.param("messages", "wire", "zz", id="no bytes"),
        pytest.param("messages", "fields", {}, id="fields"),
        pytest.param("messages", "counter", 4711, id="counter"),
        pytest.param("refused", "reason", "nothing", id="reason"),
        pytest.param("values", "values", [[1.0]], id="values"),
        pytest.param("streams", "lost", 4711, id="lost"),
        pytest.param("streams", "taken", [], id="taken"),
    ],
)
def test_a_vector_that_is_wrong_is_named(part, key, value):
    changed = deepcopy(VECTORS)
    changed[part][3][key] = value
    (finding,) = vectors.verify(changed)
    assert finding.name == f"{part}: {VECTORS[part][3]['name']}"
    assert finding.problem


def test_some_of_them_can_be_verified_alone():
    assert vectors.verify({"messages": VECTORS["messages"][:2]}) == []
    assert vectors.verify(json.loads("{}")) == []
    (finding,) = vectors.verify({"messages": [{"name": "mine"}]})
    assert "cannot be read" in finding.problem
