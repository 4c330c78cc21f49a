"""The rows that the engine moves between the steps of a backfill: one schema for all kinds."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from detector.detection.baseline import Observation
from detector.detection.event import (
    EventCall,
    EventClient,
    KeptEvent,
    Matches,
    Position,
    Series,
)

RowKind = Literal["hit", "observation", "tally", "activity", "file", "chunk", "standing", "series"]
"""What a row holds.

- hit: an event that rules count. The key is its identity.
- observation: an observation of the baseline, as the key, with its first and last time.
- tally: what was read in a folder, or in a part of it.
- activity: what principals did, encoded by ``ChunkActivity.encode``.
- file: a file that is not counted in its folder, mostly because it could not be read. The key is
  its path, the body its ``FileRow``.
- chunk: a chunk of a file, for searches. The key is the path, the span that of its event times.
- standing: the number of a folder's hits that are not copies of others, as ``first``.
- series: an event of one series, grouped by its key: the series and a time cell. The body begins
  with the event's identity.
"""


class StepRow(NamedTuple):
    """A row; ``first`` and ``last`` are epoch seconds, ``folder`` is its file's folder."""

    kind: RowKind
    folder: str
    key: bytes
    first: int
    last: int
    body: bytes


class FolderTally(msgspec.Struct, array_like=True):
    """Counts over the files that were read in a folder, as in ``ChunkStats``.

    ``newest_ns`` is the latest modification time of a file, in nanoseconds since the epoch."""

    files: int = 0
    bytes: int = 0
    seen: int = 0
    hits: int = 0
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    first: int | None = None
    last: int | None = None
    newest_ns: int = 0
    bridged: int = 0
    bridged_read_only: int = 0

    def add(self, other: FolderTally) -> None:
        """Add the tally of another part of the folder."""
        self.files += other.files
        self.bytes += other.bytes
        self.seen += other.seen
        self.hits += other.hits
        self.bridged += other.bridged
        self.bridged_read_only += other.bridged_read_only
        self.newest_ns = max(self.newest_ns, other.newest_ns)
        for own, counts in ((self.skipped, other.skipped), (self.rejected, other.rejected)):
            for reason, count in counts.items():
                own[reason] = own.get(reason, 0) + count
        self.extend(other.first, other.last)

    def extend(self, first: int | None, last: int | None) -> None:
        """Widen the span of event times."""
        if first is None or last is None:
            return
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)


class ChunkPlace(msgspec.Struct, array_like=True):
    """The body of a chunk's row: its offset in the file, and an index of its principals."""

    offset: int
    principal_index: bytes


class SeriesCell(msgspec.Struct, array_like=True, frozen=True):
    """The key of a series row: hits of one time cell do not affect those of another."""

    series: Series
    cell: int


encode_body = msgspec.msgpack.encode
decode_tally = msgspec.msgpack.Decoder(FolderTally).decode
decode_place = msgspec.msgpack.Decoder(ChunkPlace).decode
decode_cell = msgspec.msgpack.Decoder(SeriesCell).decode
_decode_parts = msgspec.msgpack.Decoder().decode
decode_observation = msgspec.msgpack.Decoder(Observation).decode


def decode_event(body: bytes) -> KeptEvent:
    """Decode the event of a row by hand: inputs may be marks, which no static type describes."""
    time, client, call, region, issued_key, event_id, position, matches, stale = _decode_parts(body)
    return KeptEvent(
        time,
        EventClient(*client),
        EventCall(*call),
        region,
        issued_key,
        event_id,
        Position(*position),
        _matches(matches),
        tuple((at, _matches(others)) for at, others in stale),
    )


def _matches(parts: list[Any]) -> Matches:
    matches = []
    for (rule_id, key), inputs in parts:
        series = Series(rule_id, None if key is None else tuple(key))
        matches.append((series, tuple(inputs)))
    return tuple(matches)
