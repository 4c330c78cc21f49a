"""The trail: events grouped into the files in which CloudTrail delivers them.

Paths and file names follow the CloudTrail User Guide ("Finding your CloudTrail log files"), for an organization
trail. A file holds what one region of one account recorded in about five minutes, its name a five-minute label about
three minutes after the events; the records in it are in no order, and files land a little before or after their label.
"""

from __future__ import annotations

import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from detector.simulate.noise import noise
from detector.simulate.organization import ORGANIZATION, SECOND_TRAIL, letters, number, stamp
from detector.simulate.past import past
from detector.simulate.shapes import Event
from detector.simulate.stories import STORIES

_LABEL = 300
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, order=True)
class Delivery:
    """A file of the trail: when it lands (seconds since the epoch), its path below the bucket, its
    bytes (gzip)."""

    at: int
    path: str
    data: bytes


@dataclass(frozen=True)
class _Batch:
    """What CloudTrail puts into one file; ``label`` is the time in its name."""

    account: str
    region: str
    label: int


def deliveries() -> Iterator[Delivery]:
    """All files of the trail in the order in which they land; the same every time."""
    return iter(sorted(_files()))


def _files() -> Iterator[Delivery]:
    batches: dict[_Batch, list[Event]] = defaultdict(list)
    for events in (past(), noise(), *(story.events() for story in STORIES)):
        for event in events:
            batches[_batch(event)].append(event)
    for batch, events in batches.items():
        path, data = _path(batch, f"{ORGANIZATION}/"), _packed(events)
        yield Delivery(_landing(batch, path), path, data)
        if (batch.account, batch.region) == SECOND_TRAIL:
            again = _path(batch, "")
            yield Delivery(_landing(batch, again), again, data)


def _batch(event: Event) -> _Batch:
    lag = 30 + number(f"lag/{event.account}/{event.region}", 70)
    label = -(-(event.at + lag + event.delay) // _LABEL) * _LABEL
    return _Batch(event.account, event.region, label)


def _path(batch: _Batch, owner: str) -> str:
    """``owner`` is the organization's part of the path, ``""`` for a trail of the account's own."""
    account, region = batch.account, batch.region
    folder = f"AWSLogs/{owner}{account}/CloudTrail/{region}/{stamp(batch.label, '%Y/%m/%d')}"
    label = stamp(batch.label, "%Y%m%dT%H%MZ")
    return f"{folder}/{account}_CloudTrail_{region}_{label}_{letters(folder + label, 16, _ALPHABET)}.json.gz"


def _landing(batch: _Batch, path: str) -> int:
    return batch.label - 20 + number(f"landing/{path}", 150)


def _packed(events: list[Event]) -> bytes:
    """The events as one gzip file without a date. Event ids are random, so their order is no order
    in time."""
    records = [
        event.record for event in sorted(events, key=lambda event: str(event.record["eventID"]))
    ]
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", mtime=0, fileobj=packed) as file:
        file.write(json.dumps({"Records": records}, separators=(",", ":")).encode())
    return packed.getvalue()
