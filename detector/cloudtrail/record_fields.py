"""A few fields of a record, read without decoding the rest of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import astuple

from detector.cloudtrail.record import Record, cloudtrail_name, decode

_READERS = 256
"""Of the sets of fields for which a decoder is kept: rules read few together."""
_Reader = Callable[[bytes | msgspec.Raw], Any]


def raw_values(raw: bytes | msgspec.Raw, names: tuple[str, ...]) -> tuple[object, ...]:
    """Return what decides attributes of a record, by their names: where it is equal, they are.

    Raises ValueError or RecursionError where ``raw`` is no JSON object."""
    if not names:
        return ()
    read = _raw_reader(names)
    if read is not None:
        with contextlib.suppress(ValueError, RecursionError):
            return tuple(map(bytes, astuple(read(raw))))
    record = decode(raw)
    values = [getattr(record, name) for name in names]
    return tuple([bytes(each) if isinstance(each, msgspec.Raw) else each for each in values])


def texts(raw: bytes | msgspec.Raw, names: tuple[str, ...]) -> tuple[str | None, ...]:
    """Return attributes of a record that are texts, by their names.

    The texts of a long record may have to be cut, which is not done here. Raises ValueError or
    RecursionError where ``raw`` is no JSON object."""
    with contextlib.suppress(ValueError, RecursionError):
        return astuple(_text_reader(names)(raw))
    record = decode(raw)
    return tuple([getattr(record, name) for name in names])


@lru_cache(_READERS)
def _raw_reader(names: tuple[str, ...]) -> _Reader | None:
    """Return what reads the JSON of fields; None where an attribute is none."""
    if not set(names) <= set(Record.__struct_fields__):
        return None
    return _reader(names, msgspec.Raw, msgspec.Raw(b""))


@lru_cache(_READERS)
def _text_reader(names: tuple[str, ...]) -> _Reader:
    return _reader(names, str | None, None)


def _reader(names: tuple[str, ...], type: Any, default: object) -> _Reader:
    fields = [(name, type, default) for name in names]
    struct = msgspec.defstruct("Fields", fields, gc=False, rename=cloudtrail_name)
    return msgspec.json.Decoder(struct).decode
