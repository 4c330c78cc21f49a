"""Runs of records with the same view, as ``native.hit_runs`` finds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, compress, count, pairwise, repeat
from operator import attrgetter, ne
from typing import Any

import msgspec

from detector.formats.heads.decoded_callers import DecodedCallers
from detector.formats.native.columns import IDENTITY, identities_in, number_array
from detector.formats.native.groups import RawHit, RawView
from detector.formats.native.hit_runs import HitRun, HitRuns, Questions, RunRows
from detector.text.capped import TEXT_CAP

_UUID = 36
_DASHES = 8, 13, 18, 23
"""The positions of the dashes in a UUID."""


class _HitFields(msgspec.Struct, gc=False):
    """The fields of a record that may be a hit; empty if absent."""

    eventID: str = ""
    errorCode: msgspec.Raw = msgspec.Raw()
    errorMessage: msgspec.Raw = msgspec.Raw()
    userIdentity: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_HitFields).decode
_id_of, _code_of, _message_of, _caller_of = map(attrgetter, _HitFields.__struct_fields__)
EncodedRecords = Sequence[bytes | msgspec.Raw]


def read_hit(record: bytes | msgspec.Raw) -> RawHit | None:
    """Return the view and identity of a record; None if it must be decoded whole."""
    try:
        (view,), identity = read_views([record])
    except (ValueError, RecursionError):
        return None
    return view, identity


def read_views(records: EncodedRecords) -> tuple[list[RawView], bytes]:
    """Return the views of records, and the concatenated identities of their events.

    Raises ValueError or RecursionError if some record must be decoded whole."""
    fields = list(map(_decode, records))
    callers = list(map(bytes, map(_caller_of, fields)))
    messages = list(map(bytes, map(_message_of, fields)))
    codes = map(bool, map(bytes, map(_code_of, fields)))
    if not all(callers) or max(map(len, chain(callers, messages))) > TEXT_CAP:
        raise ValueError("no caller, or one that may have to be cut")
    views = list(zip(callers, messages, codes, strict=True))
    return views, _identities(list(map(_id_of, fields)))


def _identities(names: Sequence[str]) -> bytes:
    """Return the concatenated identities of event ids.

    Raises ValueError if an id is not a lower-case UUID."""
    joined, dashes = "".join(names), "-" * len(names)
    if set(map(len, names)) != {_UUID} or any(joined[at::_UUID] != dashes for at in _DASHES):
        raise ValueError("no UUIDs")
    digits = joined.replace("-", "")
    identities = bytes.fromhex(digits)
    if identities.hex() != digits:
        raise ValueError("not in lower case")
    return identities


class DecodedRuns:
    """The runs of some groups of ``records``, with the interface of ``native.hit_runs.HitRuns``."""

    def __init__(
        self,
        records: EncodedRecords,
        groups: Sequence[list[int]],
        questions: Questions | None = None,
    ) -> None:
        self._records = list(chain.from_iterable(groups))
        views, self._identities = _read_each(list(map(records.__getitem__, self._records)))
        of_group = chain.from_iterable(map(repeat, count(), map(len, groups)))
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.groups: list[int] = []
        self.views: list[int] = []
        self.callers: list[int] = []
        nothing = [0] * len(groups)
        questions = questions or Questions(DecodedCallers(), nothing, nothing)
        self._add_runs(list(zip(of_group, views, strict=True)), questions)

    def _add_runs(self, keys: list[tuple[int, Any]], questions: Questions) -> None:
        """Add the runs of equal keys (group, view), except those whose caller refuses the group."""
        known, asked, heads = questions
        assert isinstance(known, DecodedCallers)
        known.trim()
        is_first = chain([True], map(ne, keys[1:], keys))
        for start, end in pairwise([*compress(range(len(keys)), is_first), len(keys)]):
            group, view = keys[start]
            caller = number = 0
            if (asked[group] or heads[group]) and isinstance(view, tuple):
                text, message, has_code = view
                caller = known.number(text)
                if known.refuses(caller, asked[group]):
                    continue
                if heads[group]:
                    number = known.view_number(heads[group], caller, message, has_code)
            self._starts.append(start)
            self._ends.append(end)
            self.groups.append(group)
            self.views.append(number)
            self.callers.append(caller)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[HitRun]:
        return map(self.run, range(len(self)))

    def first(self, number: int) -> int:
        """Return the index of the first record of a run."""
        return self._records[self._starts[number]]

    def records(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Yield the index of each record of a run, and the identity of its event."""
        indexes, identities, *_ = self.run(number)
        return zip(indexes, identities_in(identities), strict=True)

    def run(self, number: int) -> HitRun:
        """Return a run."""
        start, end = self._starts[number], self._ends[number]
        return HitRun(
            self._records[start:end],
            self._identities[IDENTITY * start : IDENTITY * end],
            self.callers[number],
            self.views[number],
        )

    def rows(self, kinds: Sequence[int], times: Sequence[Any]) -> RunRows:
        """Return a row for each record of the runs whose kind is not below 0.

        ``kinds`` are by run, ``times`` are those of the chunk's records."""
        runs = list(zip(kinds, map(slice, self._starts, self._ends), strict=True))
        chosen = [(kind, run) for kind, run in runs if kind >= 0]
        indexes = list(chain.from_iterable([self._records[run] for _, run in chosen]))
        names = identities_in(self._identities)
        identities = b"".join(chain.from_iterable([names[run] for _, run in chosen]))
        own_kinds = chain.from_iterable([kind] * (run.stop - run.start) for kind, run in chosen)
        return RunRows(
            identities,
            number_array("q", list(map(times.__getitem__, indexes))),
            number_array("q", indexes),
            number_array("i", list(own_kinds)),
        )


def _read_each(records: EncodedRecords, first: int = 0) -> tuple[list[Any], bytes]:
    """Return the views and identities of records.

    A record that must be decoded whole has its number instead of a view, and zeros as identity.
    ``first`` is the number of the first record. Such records are found by bisection."""
    if not records:
        return [], b""
    try:
        return read_views(records)
    except (ValueError, RecursionError):
        pass
    if len(records) == 1:
        return [first], bytes(IDENTITY)
    half = len(records) // 2
    views, identities = _read_each(records[:half], first)
    more_views, more_identities = _read_each(records[half:], first + half)
    return views + more_views, identities + more_identities


RecordRuns = HitRuns | DecodedRuns
"""The runs of a chunk's records, from the native cut or from decoding."""
