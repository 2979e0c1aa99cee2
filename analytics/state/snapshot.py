"""A snapshot: arrays and plain values in one block of bytes, the same for equal state.

Layout: ``magic | version | header length | header (JSON) | arrays | crc32``.
The header lists every array with name, type, shape and place; arrays follow in
C order. No clock, no compression, no pickle: equal state gives equal bytes,
and nothing in a snapshot can run code.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sensors.codec import dump_json, load_json
from sensors.errors import StateError

SNAPSHOT_VERSION = 1
"""Goes up when a reader must change."""

_MAGIC = b"AWBSNAP\n"
_HEAD = struct.Struct("<8sIQ")
_TAIL = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Frozen:
    """A state that no longer changes: the header, and copies of the arrays in its order.

    Making bytes of it takes ten times as long as freezing, and can be done on
    another thread: the big copies and the checksum let other threads run.
    """

    header: bytes
    arrays: tuple[NDArray[Any], ...]

    def data(self) -> memoryview:
        """Return the snapshot, as bytes of one block."""
        begin = _HEAD.size + len(self.header)
        size = begin + sum(array.nbytes for array in self.arrays)
        # Not a bytearray: to fill that with zeros first would stop all other threads.
        data = np.empty(size + _TAIL.size, np.uint8).data
        _HEAD.pack_into(data, 0, _MAGIC, SNAPSHOT_VERSION, len(self.header))
        data[_HEAD.size : begin] = self.header
        offset = begin
        for array in self.arrays:
            place = np.frombuffer(data, array.dtype, array.size, offset)
            np.copyto(place, array.reshape(-1))
            offset += array.nbytes
        _TAIL.pack_into(data, size, crc32(data[:size]))
        return data


def freeze(arrays: Mapping[str, NDArray[Any]], values: Any) -> Frozen:
    """Return `arrays`, which must not change any more, and `values` (plain, JSON-able).

    Raises
    ------
    StateError
        If an array holds Python objects, which no snapshot can carry.
    """
    names = sorted(arrays)
    table: list[dict[str, Any]] = []
    for name in names:
        array = arrays[name]
        if array.dtype.hasobject:
            raise StateError(f"snapshot: array {name} holds objects; only numbers can be kept")
        table.append({"name": name, "dtype": array.dtype.str, "shape": list(array.shape)})
    header = dump_json({"arrays": table, "values": values})
    return Frozen(header, tuple(arrays[name] for name in names))


def pack(arrays: Mapping[str, NDArray[Any]], values: Any) -> bytes:
    """Return `arrays` and `values` (plain, JSON-able) as bytes.

    Raises
    ------
    StateError
        If an array holds Python objects, which no snapshot can carry.
    """
    return bytes(freeze(arrays, values).data())


def unpack(data: bytes) -> tuple[dict[str, NDArray[Any]], Any]:
    """Return the arrays (own, writable memory) and values of :func:`pack`.

    Raises
    ------
    StateError
        If the bytes are no snapshot, are damaged, or of another version.
    """
    if len(data) < _HEAD.size + _TAIL.size or not data.startswith(_MAGIC):
        raise StateError("not a snapshot of the pipeline; restore a backup or start afresh")
    body, tail = data[: -_TAIL.size], data[-_TAIL.size :]
    _, version, header_length = _HEAD.unpack_from(body)
    if version != SNAPSHOT_VERSION:
        raise StateError(
            f"snapshot has version {version}, this program reads {SNAPSHOT_VERSION}; "
            "upgrade it, or start afresh"
        )
    if crc32(body) != _TAIL.unpack(tail)[0]:
        raise StateError("snapshot is damaged; restore a backup or start afresh")
    header = load_json(body[_HEAD.size : _HEAD.size + header_length])
    arrays: dict[str, NDArray[Any]] = {}
    offset = _HEAD.size + header_length
    for entry in header["arrays"]:
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(body, dtype, count, offset).reshape(shape).copy()
        arrays[entry["name"]] = array
        offset += array.nbytes
    return arrays, header["values"]
