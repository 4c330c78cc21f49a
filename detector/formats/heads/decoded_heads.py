"""Numbers the heads of records in Python, for records that the native cut does not number.

Heads are looked up column by column: Python code runs for each new part, not for each record.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import msgspec

from detector.cloudtrail.record import (
    NO_CALLER,
    ORIGIN_FIELDS,
    Head,
    api_call_of,
    cap_part,
    join_parts,
)
from detector.formats.heads.callers import CALLER_BYTES, CALLER_CAPACITY
from detector.formats.heads.completeness import is_complete
from detector.formats.heads.decoded_callers import DecodedCallers
from detector.formats.heads.head_parts import HeadParts
from detector.text.capped import TEXT_CAP
from detector.text.time import parse_time

_BATCH = 64
"""The number of heads that are held at a time; they fit a processor's innermost caches."""
_SOME_CALL = "-", "-", None, None, None
_SOME_ORIGIN = msgspec.structs.replace(NO_CALLER, arn="-"), None, None, None, "-"
_origin_of: Callable[[Head], tuple[Any, ...]] = attrgetter(*ORIGIN_FIELDS)
_time_of: Callable[[Head], str | None] = attrgetter("event_time")

K = TypeVar("K", bound=tuple[Any, ...])


class _Numbers(dict[K, int]):
    """Numbers keys on lookup; a new key is appended to ``rows``.

    If ``lacking`` is true for it, its number is added to ``incomplete``."""

    def __init__(self, rows: list[K], lacking: Callable[[K], bool], incomplete: set[int]) -> None:
        self._rows = rows
        self._lacking = lacking
        self._incomplete = incomplete

    def __missing__(self, key: K) -> int:
        # Only the truncated key is kept, so an overlong key comes here each time.
        if len(msgspec.msgpack.encode(key)) > TEXT_CAP:
            key = cap_part(key)
        number = self.get(key)
        if number is None:
            number = self[key] = len(self._rows)
            self._rows.append(key)
            if self._lacking(key):
                self._incomplete.add(number)
        return number


def _lacks_origin(origin: tuple[Any, ...]) -> bool:
    return not is_complete(join_parts(origin, _SOME_CALL))


def _lacks_call(call: tuple[Any, ...]) -> bool:
    return not is_complete(join_parts(_SOME_ORIGIN, call))


class DecodedHeads(HeadParts):
    """The origins, calls and heads that were decoded; each has one number.

    ``incomplete`` are the heads that lack a caller, name, source or region; ``callers`` are the
    origins whose records were summed."""

    def __init__(self) -> None:
        super().__init__()
        self.refused, self.posting_of, self.observed_of, self.changed_of = {}, {}, {}, {}
        self.asked, self.kinds = {}, {}
        self.callers: set[int] = set()
        self.posting_names: dict[int, bytes] = {}
        self.heads = [(0, 0)]
        self.incomplete: set[int] = set()
        of_origins: set[int] = set()
        of_calls: set[int] = set()

        def lacks_part(head: tuple[int, int]) -> bool:
            return head[0] in of_origins or head[1] in of_calls

        # These refer to the lists, not to ``self``: without cycles, all is freed at once.
        origins = _Numbers(self.origins, _lacks_origin, of_origins)
        calls = _Numbers(self.calls, _lacks_call, of_calls)
        heads = _Numbers(self.heads, lacks_part, self.incomplete)
        self._number_of_origin = origins.__getitem__
        self._number_of_call = calls.__getitem__
        self._number_of_head = heads.__getitem__

    def new_callers(
        self, capacity: int = CALLER_CAPACITY, size: int = CALLER_BYTES
    ) -> DecodedCallers:
        return DecodedCallers(capacity, size)

    def name_posting(self, number: int, name: bytes) -> None:
        self.posting_names[number] = name

    def take_callers(self) -> set[int]:
        callers, self.callers = self.callers, set()
        return callers

    def parts(self, number: int) -> tuple[int, int]:
        return self.heads[number]

    def calls_of(self, numbers: Sequence[int]) -> list[int]:
        return [self.heads[number][1] for number in numbers]

    def numbers(self, heads: Sequence[Head]) -> Iterator[int]:
        """Return the number of each head."""
        origins = map(self._number_of_origin, map(_origin_of, heads))
        calls = map(self._number_of_call, map(api_call_of, heads))
        return map(self._number_of_head, zip(origins, calls, strict=True))


class DecodedGroups(NamedTuple):
    """The records of a chunk, grouped by their heads.

    By group, in order of its first record, ``numbers`` has the number of its head in ``table``,
    ``members`` the ascending indexes of its records. ``times`` are those of all records in epoch
    seconds, None if unusable; the groups from index ``untimed`` on have the records without a
    time."""

    table: DecodedHeads
    numbers: list[int]
    members: list[list[int]]
    times: list[int | None]
    untimed: int

    @property
    def incomplete(self) -> list[int]:
        """The indexes of the records that lack a caller, name, source or region."""
        lacking = self.table.incomplete
        return [index for number, own in self.listed() if number in lacking for index in own]

    def sizes(self) -> list[int]:
        """Return the number of records of each group."""
        return list(map(len, self.members))

    def span(self, *groups: int) -> tuple[int, int] | None:
        """Return the first and last time of some groups; None if they have no times."""
        records = chain.from_iterable(map(self.members.__getitem__, groups))
        times = [time for time in map(self.times.__getitem__, records) if time is not None]
        return (min(times), max(times)) if times else None

    def listed(self) -> Iterator[tuple[int, list[int]]]:
        """Yield, by group, the number of its head and the indexes of its records."""
        return zip(self.numbers, self.members, strict=True)


class _TimeCache(dict[str | None, int | None]):
    def __missing__(self, text: str | None) -> int | None:
        time = self[text] = parse_time(text)
        return time


def group_heads(heads: Iterable[Head], table: DecodedHeads) -> DecodedGroups:
    """Group the records with these ``heads``.

    Heads are freed batch by batch: all at once would not fit a processor's caches, and would
    fragment the memory that is kept."""
    numbers: list[int] = []
    times: list[int | None] = []
    left, time_of = iter(heads), _TimeCache().__getitem__
    while batch := list(islice(left, _BATCH)):
        numbers += table.numbers(batch)
        times += map(time_of, map(_time_of, batch))
    untimed: dict[int, list[int]] = {}
    if None in times:
        timed = [index for index, time in enumerate(times) if time is not None]
        groups = _listed(map(numbers.__getitem__, timed), timed)
        rest = [index for index, time in enumerate(times) if time is None]
        untimed = _listed(map(numbers.__getitem__, rest), rest)
    else:
        groups = _listed(numbers, range(len(numbers)))
    members = [*groups.values(), *untimed.values()]
    return DecodedGroups(table, [*groups, *untimed], members, times, len(groups))


def _listed(numbers: Iterable[int], indexes: Iterable[int]) -> dict[int, list[int]]:
    """Return the list of indexes of each number, in order of first occurrence."""
    lists: defaultdict[int, list[int]] = defaultdict(list)
    deque(map(list.append, map(lists.__getitem__, numbers), indexes), maxlen=0)
    return lists
