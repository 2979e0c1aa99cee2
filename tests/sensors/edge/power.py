"""A disk under SQLite whose power can be cut, and that can be full: a VFS in front of the system's.

Every write, truncation, sync and deletion that SQLite asks for is passed on and
noted. From the notes, `after_cut` makes the files as a power cut could have left
them: what was synced is there; of what was not, any sectors are, others are not.
"""

import _sqlite3
import contextlib
import ctypes
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SECTOR = 512
FULL = 13  # SQLITE_FULL
_OK = 0

_int, _ptr = ctypes.c_int, ctypes.c_void_p
_Open = ctypes.CFUNCTYPE(_int, _ptr, ctypes.c_char_p, _ptr, _int, _ptr)
_Delete = ctypes.CFUNCTYPE(_int, _ptr, ctypes.c_char_p, _int)
_Write = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _int, ctypes.c_int64)
_Truncate = ctypes.CFUNCTYPE(_int, _ptr, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(_int, _ptr, _int)


class _Vfs(ctypes.Structure):
    """Of sqlite3.h; the functions that are left alone are copied as they are."""

    _fields_ = (
        ("version", _int),
        ("file_size", _int),
        ("path_size", _int),
        ("next", _ptr),
        ("name", ctypes.c_char_p),
        ("data", _ptr),
        ("open", _ptr),
        ("delete", _ptr),
        ("rest", _ptr * 14),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", _int),
        ("close", _ptr),
        ("read", _ptr),
        ("write", _ptr),
        ("truncate", _ptr),
        ("sync", _ptr),
        ("rest", _ptr * 13),
    )


class Op(NamedTuple):
    """What SQLite asked of the disk: write, truncate, sync, delete; or what we promised."""

    kind: str
    name: str = ""
    at: int = 0
    data: bytes = b""
    promise: Any = None


class Disk:
    """The VFS while it is installed; `ops` grows, `fails_at` counts writes down to a full disk."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.writes_left: int | None = None
        self._names: dict[int, str] = {}
        self._methods: dict[int, _Methods] = {}
        self._kept: list[Any] = []  # callbacks must outlive their use

    def promise(self, what: Any) -> None:
        """Note what has been promised from here on."""
        self.ops.append(Op("promise", promise=what))

    @contextlib.contextmanager
    def installed(self) -> Iterator["Disk"]:
        """Be the disk of every file that is opened inside."""
        library = ctypes.CDLL(_sqlite3.__file__)  # the SQLite that Python itself uses
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        before = library.sqlite3_vfs_find(None)
        ours = _Vfs.from_buffer_copy(before.contents)
        ours.name, ours.next = b"power", None
        ours.open = self._opener(_Open(before.contents.open), before)
        ours.delete = self._deleter(_Delete(before.contents.delete), before)
        library.sqlite3_vfs_register(ctypes.byref(ours), 1)
        self._kept.append(ours)
        try:
            yield self
        finally:
            library.sqlite3_vfs_register(before, 1)
            library.sqlite3_vfs_unregister(ctypes.byref(ours))

    def _pointer(self, callback: Any) -> int:
        self._kept.append(callback)
        return ctypes.cast(callback, _ptr).value or 0

    def _opener(self, real: Any, vfs: Any) -> int:
        def opened(_vfs: int, name: bytes | None, file: int, flags: int, out: int) -> int:
            code = int(real(ctypes.addressof(vfs.contents), name, file, flags, out))
            methods = ctypes.cast(file, ctypes.POINTER(_ptr))
            if code == _OK and methods[0]:
                self._names[file] = Path((name or b"temporary").decode()).name
                methods[0] = ctypes.addressof(self._watched(methods[0]))
            return code

        return self._pointer(_Open(opened))

    def _deleter(self, real: Any, vfs: Any) -> int:
        def deleted(_vfs: int, name: bytes, sync: int) -> int:
            self.ops.append(Op("delete", Path(name.decode()).name))
            return int(real(ctypes.addressof(vfs.contents), name, sync))

        return self._pointer(_Delete(deleted))

    def _watched(self, real_at: int) -> _Methods:
        if real_at not in self._methods:
            real = _Methods.from_address(real_at)
            ours = _Methods.from_buffer_copy(real)
            ours.write = self._pointer(_Write(self._writer(_Write(real.write))))
            ours.truncate = self._pointer(_Truncate(self._truncater(_Truncate(real.truncate))))
            ours.sync = self._pointer(_Sync(self._syncer(_Sync(real.sync))))
            self._methods[real_at] = ours
        return self._methods[real_at]

    def _writer(self, real: Any) -> Any:
        def write(file: int, data: int, size: int, at: int) -> int:
            if self.writes_left is not None:
                if self.writes_left == 0:
                    return FULL
                self.writes_left -= 1
            self.ops.append(Op("write", self._names[file], at, ctypes.string_at(data, size)))
            return int(real(file, data, size, at))

        return write

    def _truncater(self, real: Any) -> Any:
        def truncate(file: int, size: int) -> int:
            self.ops.append(Op("truncate", self._names[file], size))
            return int(real(file, size))

        return truncate

    def _syncer(self, real: Any) -> Any:
        def sync(file: int, flags: int) -> int:
            code = int(real(file, flags))
            self.ops.append(Op("sync", self._names[file]))
            return code

        return sync


def after_cut(ops: list[Op], luck: random.Random | None) -> dict[str, bytes]:
    """Return the files as a cut after `ops` may leave them.

    `luck` decides which sectors that were not synced reached the disk; with
    ``None`` none did.
    """
    synced: dict[str, int] = {}
    for number, op in enumerate(ops):
        if op.kind == "sync":
            synced[op.name] = number
    files: dict[str, bytearray] = {}
    for number, op in enumerate(ops):
        if op.kind == "delete":
            files.pop(op.name, None)
        elif op.kind in {"write", "truncate"}:
            is_safe = number < synced.get(op.name, -1)
            _apply(files.setdefault(op.name, bytearray()), op, None if is_safe else (luck,))
    return {name: bytes(content) for name, content in files.items()}


def _apply(content: bytearray, op: Op, unsafe: tuple[random.Random | None] | None) -> None:
    def happens() -> bool:
        return unsafe is None or (unsafe[0] is not None and unsafe[0].random() < 0.5)

    if op.kind == "truncate":
        if happens():
            del content[op.at :]
        return
    start = op.at
    while start < op.at + len(op.data):
        end = min(op.at + len(op.data), start - start % SECTOR + SECTOR)
        if happens():
            content.extend(bytes(max(0, end - len(content))))
            content[start:end] = op.data[start - op.at : end - op.at]
        start = end
