"""Generated logs of any size, the same every time, alerts known.

The records are those of the simulated organization, each with ids and times of its own.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.rule import NEEDED, WINDOW
from detector.simulate import agents
from detector.simulate.noise import noise
from detector.simulate.organization import (
    ACCOUNTS,
    ORGANIZATION,
    REGIONS,
    START,
    resource_id,
    stamp,
)
from detector.simulate.shapes import Event, describe_instances, iam_user

LISTING_SHARE = 0.01
"""Calls to DescribeInstances among all, apart from the sweeps; of the public set mentioned above:
0.7 %."""
SWEEP_EVERY = 50_000
"""Records to one sweep that must be found, and one that stays a region short of it."""
_SWEEPS_PER_FILE = 500
_SKEW = 3
"""Few callers make most of the calls."""
PERIOD = 300
"""Seconds that one file of a trail covers."""


@dataclass(frozen=True)
class Plan:
    """Size of a trail.

    In each of ``periods`` of five minutes, each account has a file of ``per_file``
    records per region.
    """

    periods: int
    accounts: int
    per_file: int

    def times(self, factor: int) -> Plan:
        """The same for longer."""
        return Plan(self.periods * factor, self.accounts, self.per_file)

    @property
    def files(self) -> int:
        return self.periods * self.accounts * len(REGIONS)

    @property
    def records(self) -> int:
        return self.periods * self.accounts * self.per_group

    @property
    def per_group(self) -> int:
        """Records of one account in one period."""
        return len(REGIONS) * self.per_file


@dataclass(frozen=True)
class Corpus:
    """Written logs below ``root``, and their size.

    ``json`` and ``stored`` are bytes, before and after compression.
    """

    root: Path
    lines: bool
    files: int
    records: int
    json: int
    stored: int
    alerts: int
    """How many the reference rule must find."""

    def __str__(self) -> str:
        kind = "file of JSON Lines" if self.lines else "trail files, gzip"
        return (
            f"{self.files:,} {kind}: {self.records:,} records, {self.json / 1e6:,.0f} MB of JSON"
            + (
                ""
                if self.lines
                else f" in {self.stored / 1e6:,.1f} MB ({self.json / self.stored:.1f} to 1)"
            )
        )


def write_trail(root: Path, plan: Plan) -> Corpus:
    """Write trail files in the paths of an organization's trail."""
    json_bytes = stored = files = 0
    for path, document in trail_files(plan):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        data = packed(document)
        (root / path).write_bytes(data)
        json_bytes, stored, files = json_bytes + len(document), stored + len(data), files + 1
    return Corpus(root, False, files, plan.records, json_bytes, stored, sweeps_before(plan.records))


def trail_files(plan: Plan) -> Iterator[tuple[Path, bytes]]:
    """Yield each file of the trail: path and uncompressed content."""
    for number in range(plan.periods * plan.accounts):
        account, start = _place(plan, number)
        for region, records in _group(plan, number).items():
            yield Path(_path(account, region, start + PERIOD)), trail_document(records)


def write_lines(root: Path, plan: Plan) -> Corpus:
    """Write the same records as one file of JSON Lines."""
    root.mkdir(parents=True)
    with open(root / "trail.jsonl", "wb") as file:
        for number in range(plan.periods * plan.accounts):
            records = [record for part in _group(plan, number).values() for record in part]
            Random(f"lines/{number}").shuffle(records)
            file.writelines(record + b"\n" for record in records)
        size = file.tell()
    return Corpus(root, True, 1, plan.records, size, size, sweeps_before(plan.records))


def write_sweeps(root: Path, count: int, first: int = 0) -> Corpus:
    """Write ``count`` sweeps, each an alert, as files of lines."""
    root.mkdir(parents=True)
    size = files = 0
    for start in range(first, first + count, _SWEEPS_PER_FILE):
        numbers = range(start, min(start + _SWEEPS_PER_FILE, first + count))
        lines = b"".join(
            record + b"\n"
            for number in numbers
            for record in sweep(number, START + WINDOW * number, NEEDED).values()
        )
        (root / f"sweeps-{start:07d}.jsonl").write_bytes(lines)
        size, files = size + len(lines), files + 1
    return Corpus(root, True, files, count * NEEDED, size, size, count)


def sweep(
    number: int, window: int, regions: int = len(REGIONS), account: str = next(iter(ACCOUNTS))
) -> dict[str, bytes]:
    """Make a sweep: one record by region, by its own principal.

    The instances of ``regions`` regions are listed within ``window``.
    """
    kind = "sweep" if regions >= NEEDED else "near-miss"
    rng = Random(f"{kind}/{number}")
    who = iam_user(account, f"{kind}-{number:06d}", f"198.51.100.{number % 250}", agents.KALI_CLI)
    places = REGIONS[:regions]
    events = (
        describe_instances(rng, who, window + 2 + index, region)
        for index, region in enumerate(places)
    )
    return {event.region: _json(event.record).encode() for event in events}


def trail_document(records: Iterable[bytes]) -> bytes:
    return b'{"Records":[' + b",".join(records) + b"]}"


def packed(document: bytes) -> bytes:
    return gzip.compress(document, 6, mtime=0)


def sweeps_before(records: int) -> int:
    """How many sweeps the first so many records hold."""
    return -(-records // SWEEP_EVERY)


def _place(plan: Plan, number: int) -> tuple[str, int]:
    """The account of a group, and the second that it begins at."""
    period, place = divmod(number, plan.accounts)
    return list(ACCOUNTS)[place], START + PERIOD * period


def _group(plan: Plan, number: int) -> dict[str, list[bytes]]:
    """The records of one account in one period, by region."""
    account, start = _place(plan, number)
    rng = Random(f"group/{number}")
    records: dict[str, list[bytes]] = {region: [] for region in REGIONS}
    for planted in range(
        sweeps_before(number * plan.per_group), sweeps_before((number + 1) * plan.per_group)
    ):
        for regions in (len(REGIONS), NEEDED - 1):
            window = start + WINDOW * rng.randrange(PERIOD // WINDOW)
            for region, record in sweep(planted, window, regions, account).items():
                records[region].append(record)
    for region, held in records.items():
        held += _background().records(rng, account, region, start, plan.per_file - len(held))
        rng.shuffle(held)
    return records


class _Background:
    """Daily work: the simulated calls as text templates.

    They are filled in for any account, region and second.
    """

    def __init__(self) -> None:
        self._listings: list[bytes] = []
        self._others: list[bytes] = []
        for number, event in enumerate(noise()):
            listing = event.record["eventName"] == "DescribeInstances"
            (self._listings if listing else self._others).append(_template(event, number))
        Random("order").shuffle(self._others)

    def records(
        self, rng: Random, account: str, region: str, start: int, count: int
    ) -> Iterator[bytes]:
        place = {b"account": account.encode(), b"region": region.encode()}
        for _ in range(count):
            among = self._listings if rng.random() < LISTING_SHARE else self._others
            ids = b"%064x" % rng.getrandbits(256)
            yield among[int(rng.random() ** _SKEW * len(among))] % {
                **place,
                b"time": _time(start + int(rng.random() * PERIOD)),
                b"request": _uuid(ids[:32]),
                b"event": _uuid(ids[32:]),
            }


@cache
def _background() -> _Background:
    return _Background()


def _template(event: Event, number: int) -> bytes:
    """Make a template of an event, with resources of its own.

    Callers belong to one region: else a large trail would hold thousands of sweeps that nobody
    planted.
    """
    slots = {"eventTime": "%(time)b", "requestID": "%(request)b", "eventID": "%(event)b"}
    held = event.record | {key: f"@{key}@" for key in slots}
    who = held.pop("userIdentity")
    if arn := who.get("arn"):
        who = who | {"arn": f"{arn}-{event.region}"}
    rest = re.sub(
        r"\b(i|vol|vpce|eni)-0[0-9a-f]{16}",
        lambda old: resource_id(old[1], f"{old[0]}/{number}"),
        _json(held),
    )
    text = f'{{"userIdentity":{_json(who)},{rest[1:]}'.replace("%", "%%")
    text = text.replace(event.account, "%(account)b").replace(event.region, "%(region)b")
    for key, slot in slots.items():
        text = text.replace(f"@{key}@", slot)
    return text.encode()


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@lru_cache(1 << 12)
def _time(seconds: int) -> bytes:
    return stamp(seconds).encode()


def _uuid(digits: bytes) -> bytes:
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _path(account: str, region: str, label: int) -> str:
    """As in the CloudTrail User Guide, "Finding your CloudTrail log files"."""
    unique = Random(f"{account}/{region}/{label}").getrandbits(64)
    return (
        f"AWSLogs/{ORGANIZATION}/{account}/CloudTrail/{region}/{stamp(label, '%Y/%m/%d')}/"
        f"{account}_CloudTrail_{region}_{stamp(label, '%Y%m%dT%H%MZ')}_{unique:016x}.json.gz"
    )
