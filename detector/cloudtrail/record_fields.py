"""Reading a few fields of a record without decoding the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import astuple

from detector.cloudtrail.record import Record, cloudtrail_name, decode

_READERS = 256
"""Maximum sets of fields with a cached decoder: rules read only few sets."""
_Reader = Callable[[bytes | msgspec.Raw], Any]


def raw_values(raw: bytes | msgspec.Raw, names: tuple[str, ...]) -> tuple[object, ...]:
    """Return the raw values that determine the named attributes of a record.

    Records with equal raw values have equal attributes. Raises ValueError or RecursionError if
    ``raw`` is not a JSON object."""
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
    """Return the named attributes of a record, which must be texts.

    Long texts are not cut here, unlike in a decoded record. Raises ValueError or RecursionError if
    ``raw`` is not a JSON object."""
    with contextlib.suppress(ValueError, RecursionError):
        return astuple(_text_reader(names)(raw))
    record = decode(raw)
    return tuple([getattr(record, name) for name in names])


@lru_cache(_READERS)
def _raw_reader(names: tuple[str, ...]) -> _Reader | None:
    """Return a decoder of the fields' raw JSON; None if an attribute is not a field."""
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
