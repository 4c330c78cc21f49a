"""The stored form of a principal's day.

Values that recur from day to day are stored as numbers. Session names do not recur, so a day stores
them as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import msgspec
from isal import isal_zlib

from detector.detection.activity.activity import VALUE_KINDS, DayActivity, ValueCount
from detector.text.time import DAY

_VALUE_FIELDS = 6
_ZLIB = b"\x78"
"""The first byte of a compressed day."""
_LEVEL = 2
"""The compression level; higher levels save only one percent more."""

_DAYS = 2_932_532
"""The number of days since the epoch on which events may occur: those before the year 9999."""

Name = tuple[str, str]
"""Kind and value."""
SecondOfDay = Annotated[int, msgspec.Meta(ge=0, lt=DAY)]


class StoredDay(msgspec.Struct, array_like=True, gc=False):
    """A day of a principal: ``DayActivity`` with numbers in place of values.

    ``values`` has six numbers for each value: its own number, its calls, failed calls, denied
    calls, and the first and the last call in seconds of the day. ``sessions`` are by name; their
    times are in seconds of the day too."""

    calls: int
    failed: int
    denied: int
    writes: int
    first: SecondOfDay
    last: SecondOfDay
    hours: int
    values: list[int]
    sessions: dict[str, ValueCount] = {}

    def value_ids(self) -> Sequence[int]:
        """Return the numbers of the values."""
        return self.values[::_VALUE_FIELDS]

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace value numbers by those that ``numbers`` maps them to; others stay."""
        ids = self.value_ids()
        self.values[::_VALUE_FIELDS] = [numbers.get(value_id, value_id) for value_id in ids]

    def counts(self) -> Iterator[tuple[int, ValueCount]]:
        """Yield the number of each value, with its counts and its times in seconds of the day."""
        numbers = iter(self.values)
        for value_id, *counts in zip(*[numbers] * _VALUE_FIELDS, strict=True):
            yield value_id, ValueCount(*counts)


_decoder = msgspec.msgpack.Decoder(StoredDay)


def decode_day(body: bytes) -> StoredDay:
    """Decode a stored day. Raises msgspec.MsgspecError if it is damaged."""
    if body[:1] == _ZLIB:
        try:
            body = isal_zlib.decompress(body)
        except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives it no type
            raise msgspec.DecodeError(str(error)) from None
    day = _decoder.decode(body)
    if len(day.values) % _VALUE_FIELDS:
        raise msgspec.DecodeError("a value lacks some of its numbers")
    return day


def encode_day(day: StoredDay) -> bytes:
    """Encode a day, compressed if that is shorter."""
    body = msgspec.msgpack.encode(day)
    return min(body, isal_zlib.compress(body, _LEVEL), key=len)


def numbered_values(day: DayActivity) -> Iterator[Name]:
    """Yield the values of a day that are stored as numbers."""
    for kind in VALUE_KINDS:
        if kind != "session":
            for value in day.values.get(kind, {}):
                yield kind, value


def pack_day(day: DayActivity, number: int, value_ids: Mapping[Name, int]) -> bytes:
    """Pack a day; ``number`` is the day since the epoch, ``value_ids`` numbers its values."""
    start = number * DAY
    packed: list[int] = []
    for name in numbered_values(day):
        kind, value = name
        count = _by_day(day.values[kind][value], start)
        packed += (value_ids[name], *msgspec.structs.astuple(count))
    sessions = day.values.get("session", {})
    return encode_day(
        StoredDay(
            day.calls,
            day.failed,
            day.denied,
            day.writes,
            day.first - start,
            day.last - start,
            day.hours,
            packed,
            {name: _by_day(count, start) for name, count in sessions.items()},
        )
    )


def unpack_day(body: bytes, number: int, names: Mapping[int, Name]) -> DayActivity:
    """Unpack a day; ``number`` is the day since the epoch, ``names`` has its values by number.

    Raises msgspec.MsgspecError if it is damaged."""
    if not 0 <= number < _DAYS:
        raise msgspec.DecodeError(f"no event is on day {number}")
    stored = decode_day(body)
    start = number * DAY
    values: dict[str, dict[str, ValueCount]] = {}
    for value_id, count in stored.counts():
        kind, value = names[value_id]
        values.setdefault(kind, {})[value] = _by_epoch(count, start)
    if stored.sessions:
        values["session"] = {
            name: _by_epoch(count, start) for name, count in stored.sessions.items()
        }
    return DayActivity(
        stored.calls,
        stored.failed,
        stored.denied,
        stored.writes,
        stored.first + start,
        stored.last + start,
        stored.hours,
        values,
    )


def _by_day(count: ValueCount, start: int) -> ValueCount:
    """Return a count with its span in seconds of the day; the last one is stored plus 1."""
    if not count.last:
        return count  # a count without a span, as that of calls
    return msgspec.structs.replace(count, first=count.first - start, last=count.last - start + 1)


def _by_epoch(count: ValueCount, start: int) -> ValueCount:
    """Return a stored count with its span in epoch seconds."""
    if not count.last:
        return count
    return msgspec.structs.replace(count, first=count.first + start, last=count.last + start - 1)
