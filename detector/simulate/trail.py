"""Group the events into files as CloudTrail delivers them.

Paths and names follow the CloudTrail User Guide ("Finding your CloudTrail log files") for an
organization trail. A file holds the calls of one account and region in about five minutes. Its name
has a five-minute label about three minutes after the events. Records are in no order, and files
arrive a little before or after their label.
"""

from __future__ import annotations

import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from detector.simulate.noise import noise
from detector.simulate.organization import ORGANIZATION, SECOND_TRAIL, letters, number_of, stamp
from detector.simulate.past import past
from detector.simulate.shapes import Event
from detector.simulate.stories import STORIES

_LABEL = 300
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, order=True)
class Delivery:
    """A delivered file: its time, its path below the bucket, its gzip bytes."""

    time: int
    path: str
    data: bytes


@dataclass(frozen=True)
class _Batch:
    """Identifies the file of an event; ``label`` is the time in the file's name."""

    account: str
    region: str
    label: int


def deliveries() -> Iterator[Delivery]:
    """Yield all files of the trail in the order of delivery, the same every time."""
    return iter(sorted(_files()))


def _files() -> Iterator[Delivery]:
    batches: dict[_Batch, list[Event]] = defaultdict(list)
    for events in (past(), noise(), *(story.events() for story in STORIES)):
        for event in events:
            batches[_batch(event)].append(event)
    for batch, events in batches.items():
        path, data = _path(batch, f"{ORGANIZATION}/"), _compress(events)
        yield Delivery(_landing(batch, path), path, data)
        if (batch.account, batch.region) == SECOND_TRAIL:
            second_path = _path(batch, "")
            yield Delivery(_landing(batch, second_path), second_path, data)


def _batch(event: Event) -> _Batch:
    lag = 30 + number_of(f"lag/{event.account}/{event.region}", 70)
    label = -(-(event.time + lag + event.delay) // _LABEL) * _LABEL
    return _Batch(event.account, event.region, label)


def _path(batch: _Batch, owner: str) -> str:
    """Return a file's path; ``owner`` is empty for an account's own trail."""
    account, region = batch.account, batch.region
    folder = f"AWSLogs/{owner}{account}/CloudTrail/{region}/{stamp(batch.label, '%Y/%m/%d')}"
    label = stamp(batch.label, "%Y%m%dT%H%MZ")
    suffix = letters(folder + label, 16, _ALPHABET)
    return f"{folder}/{account}_CloudTrail_{region}_{label}_{suffix}.json.gz"


def _landing(batch: _Batch, path: str) -> int:
    return batch.label - 20 + number_of(f"landing/{path}", 150)


def _compress(events: list[Event]) -> bytes:
    """Return the events as a gzip file, ordered by event id, which is random.

    The file has no date, so the same events give the same bytes.
    """
    records = [
        event.record for event in sorted(events, key=lambda event: str(event.record["eventID"]))
    ]
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", mtime=0, fileobj=buffer) as file:
        file.write(json.dumps({"Records": records}, separators=(",", ":")).encode())
    return buffer.getvalue()
