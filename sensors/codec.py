"""Bytes to messages and back: the only importer of msgspec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from sensors.errors import MessageError, Refusal
from sensors.messages import MAX_MESSAGE_BYTES, SCHEMA_VERSION, Message

T = TypeVar("T")

# What msgspec raises on bytes that strangers send; RecursionError on thousands of brackets.
_NOT_DECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_EMPTY: tuple[object, ...] = ({}, ())

_encoder = msgspec.json.Encoder()
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def encode(message: Message) -> bytes:
    """Return `message` as JSON, without the fields that are unknown or empty."""
    return _encoder.encode(_stated(msgspec.to_builtins(message)))


def _stated(value: dict[str, Any]) -> dict[str, Any]:
    """Return `value` without ``None`` and empty containers: absent says the same."""
    return {
        k: _stated(v) if type(v) is dict else v
        for k, v in value.items()
        if v is not None and v not in _EMPTY
    }


def decode(payload: bytes, kind: type[T]) -> T:
    """Return the message of type `kind` in `payload`.

    Raises
    ------
    MessageError
        With the refusal that applies: too large, malformed (not JSON, a
        missing field, a wrong type), another schema version, a value out of
        range, an unknown signal.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageError(
            Refusal.TOO_LARGE, f"{len(payload)} bytes; at most {MAX_MESSAGE_BYTES} are read"
        )
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        found: T = decoder.decode(payload)
    except msgspec.ValidationError as error:
        # A version we do not know may be shaped otherwise: say that instead.
        _refuse_other_schema(payload)
        if isinstance(error.__cause__, MessageError):
            raise error.__cause__ from None
        raise MessageError(Refusal.MALFORMED, str(error)) from None
    except _NOT_DECODABLE as error:
        raise MessageError(Refusal.MALFORMED, f"not JSON: {error}") from None
    return found


@dataclass(frozen=True, slots=True)
class _Version:
    schema: int


@dataclass(frozen=True, slots=True)
class WindowKey:
    """Which window a refused reading was, so that it can be accounted for."""

    source: str
    run: str
    seq: int


def _refuse_other_schema(payload: bytes) -> None:
    try:
        version = msgspec.json.decode(payload, type=_Version).schema
    except _NOT_DECODABLE:
        return
    if version not in (SCHEMA_VERSION, SCHEMA_VERSION - 1) or version < 1:
        raise MessageError(
            Refusal.SCHEMA_VERSION, f"schema is {version}; this version reads {SCHEMA_VERSION}"
        )


def window_key(payload: bytes) -> WindowKey | None:
    """Return run and seq of a reading that was refused, if they can still be told."""
    if len(payload) > MAX_MESSAGE_BYTES:
        return None
    try:
        return msgspec.json.decode(payload, type=WindowKey)
    except _NOT_DECODABLE:
        return None


def dump_json(value: Any) -> bytes:
    """Return plain Python values (dicts, lists, dataclasses) as JSON."""
    return _encoder.encode(value)


def written_json(data: bytes) -> Any:
    """Return what :func:`dump_json` writes as `data`, unseen: who gives it answers for it."""
    return msgspec.Raw(data)


def load_json(data: bytes | str) -> Any:
    """Return plain Python values from JSON we wrote ourselves."""
    return msgspec.json.decode(data)


def load_json_as(data: bytes, kind: type[T]) -> T:
    """Return JSON we wrote ourselves as `kind`, in one go.

    Raises
    ------
    ValueError
        If it is no JSON, or another kind; msgspec's text ends in the path of the offender.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    found: T = decoder.decode(data)
    return found


def convert(value: Any, kind: type[T]) -> T:
    """Return plain Python values as `kind`, a dataclass with typed fields.

    Raises
    ------
    ValueError
        With msgspec's text, which ends in the path of the offending value.
    """
    return msgspec.convert(value, kind)
