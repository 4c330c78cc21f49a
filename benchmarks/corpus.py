"""Generated logs of any size, reproducible, with a known number of alerts.

The content depends only on a ``Plan``, so a corpus is cached for later runs (``cached``).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import platformdirs

import detector.simulate
from benchmarks.organization import PERIOD, USUAL, CommandLine, records
from benchmarks.rule import NEEDED, WINDOW
from detector.simulate import agents
from detector.simulate.organization import ACCOUNTS, ORGANIZATION, REGIONS, START, stamp
from detector.simulate.shapes import call, describe_instances, iam_user, role_session

TRAIL_REGIONS = tuple(name for name in REGIONS if name not in ("ap-northeast-3", "sa-east-1"))
"""The fifteen regions for which the organization has files."""
SWEEP_EVERY = 50_000
"""Records per sweep that must be found, and per near miss that lacks one region."""
_STORM = 3600
"""Duration of a storm in seconds, whatever its number of principals."""
_SWEEPS_PER_FILE = 500


@dataclass(frozen=True)
class Plan:
    """Size and kind of a trail.

    In each of ``periods`` of five minutes, each account has one file of ``per_file`` records in
    each region.
    """

    periods: int
    accounts: int
    per_file: int
    people: CommandLine = USUAL

    def times(self, factor: int) -> Plan:
        """Return the same plan over ``factor`` times as many periods."""
        return replace(self, periods=self.periods * factor)

    @property
    def files(self) -> int:
        return self.periods * self.files_per_period

    @property
    def files_per_period(self) -> int:
        return self.accounts * len(TRAIL_REGIONS)

    @property
    def records(self) -> int:
        return self.periods * self.accounts * self.per_group

    @property
    def per_group(self) -> int:
        """Records of one account in one period."""
        return len(TRAIL_REGIONS) * self.per_file


@dataclass(frozen=True)
class Corpus:
    """Logs written below ``root``, and their size.

    ``json`` and ``stored`` are bytes, before and after compression.
    """

    root: Path
    lines: bool
    files: int
    records: int
    json: int
    stored: int
    alerts: int
    """The number of alerts that the reference rule must find."""

    def __str__(self) -> str:
        size = f"{self.records:,} records, {self.json / 1e6:,.0f} MB of JSON"
        if self.lines:
            return f"{self.files:,} file of JSON Lines: {size}"
        in_gzip = f"{self.stored / 1e6:,.1f} MB ({self.json / self.stored:.1f} to 1)"
        return f"{self.files:,} trail files, gzip: {size} in {in_gzip}"


def cached(write: Callable[..., Corpus], *args: Any) -> Corpus:
    """Return the corpus that ``write(root, *args)`` writes, reusing that of an earlier run.

    The corpus is written again if the code that generates it has changed.
    """
    name = f"{write.__name__} {args!r} {_generator()}"
    folder = corpora_folder() / hashlib.sha256(name.encode()).hexdigest()[:16]
    about = folder / "corpus.json"
    if not about.exists():
        writing = folder.with_suffix(f".{os.getpid()}")
        corpus = write(writing / "logs", *args)
        (writing / about.name).write_text(json.dumps(asdict(corpus) | {"root": None}))
        shutil.rmtree(folder, ignore_errors=True)
        writing.rename(folder)
    return Corpus(**json.loads(about.read_text()) | {"root": folder / "logs"})


def corpora_folder() -> Path:
    """Return the folder of cached corpora, which may be deleted at any time."""
    return platformdirs.user_cache_path("trailhound-benchmarks")


def _generator() -> str:
    """Return a hash of the source code that generates corpora."""
    paths = [Path(__file__), Path(__file__).with_name("organization.py")]
    paths += sorted(Path(detector.simulate.__path__[0]).glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def write_trail(root: Path, plan: Plan) -> Corpus:
    """Write trail files with the paths of an organization's trail."""
    return _write_files(root, trail_files(plan), plan.records, sweeps_before(plan.records))


def trail_files(plan: Plan) -> Iterator[tuple[Path, bytes]]:
    """Yield each file of the trail: its path and uncompressed content."""
    for number in range(plan.periods * plan.accounts):
        account, period = _account_and_period(plan, number)
        for region, timed in _group(plan, number).items():
            document = trail_document(record for _, record in timed)
            yield _path(account, region, START + PERIOD * (period + 1)), document


def write_lines(root: Path, plan: Plan) -> Corpus:
    """Write the same records as one JSON Lines file, ordered by time."""
    root.mkdir(parents=True)
    with open(root / "trail.jsonl", "wb") as file:
        for number in range(0, plan.periods * plan.accounts, plan.accounts):
            timed = [
                record
                for account in range(plan.accounts)
                for part in _group(plan, number + account).values()
                for record in part
            ]
            timed.sort(key=lambda record: record[0])
            file.writelines(record + b"\n" for _, record in timed)
        size = file.tell()
    return Corpus(root, True, 1, plan.records, size, size, sweeps_before(plan.records))


def write_storm(root: Path, principals: int) -> Corpus:
    """Write an hour of trail files in which ``principals`` principals each sweep the regions."""
    rng, account = Random(f"storm/{principals}"), next(iter(ACCOUNTS))
    files: dict[tuple[int, str], list[bytes]] = {}
    for number in range(principals):
        window = START + rng.randrange(_STORM // WINDOW) * WINDOW
        for region, record in _storm_sweep(rng, account, number, window):
            files.setdefault((window // PERIOD, region), []).append(record)
    named = (
        (_path(account, region, (period + 1) * PERIOD), trail_document(file_records))
        for (period, region), file_records in sorted(files.items())
    )
    return _write_files(root, named, sum(map(len, files.values())), principals)


def _storm_sweep(
    rng: Random, account: str, number: int, window: int
) -> Iterator[tuple[str, bytes]]:
    """Yield a session's GetCallerIdentity, and its listing in each region."""
    address = f"2001:db8:{number >> 16:x}::{number & 0xFFFF:x}"
    role = f"job-{number:06d}"  # with a common role, sessions would share signals
    who = role_session(account, role, "run", address, agents.KALI_CLI, window - 60)
    first = call(rng, who, window, "sts", "GetCallerIdentity", TRAIL_REGIONS[0])
    yield first.region, _json(first.record)
    for index, region in enumerate(TRAIL_REGIONS):
        event = describe_instances(rng, who, window + 2 + index, region)
        yield region, _json(event.record)


def write_sweeps(root: Path, count: int, first: int = 0) -> Corpus:
    """Write ``count`` sweeps, each of which is an alert, as JSON Lines files."""
    root.mkdir(parents=True)
    size = files = 0
    for start in range(first, first + count, _SWEEPS_PER_FILE):
        numbers = range(start, min(start + _SWEEPS_PER_FILE, first + count))
        lines = b"".join(
            record + b"\n"
            for number in numbers
            for _, record in sweep(number, START + WINDOW * number, REGIONS[:NEEDED]).values()
        )
        (root / f"sweeps-{start:07d}.jsonl").write_bytes(lines)
        size, files = size + len(lines), files + 1
    return Corpus(root, True, files, count * NEEDED, size, size, count)


def sweep(
    number: int, window: int, regions: Sequence[str], account: str = next(iter(ACCOUNTS))
) -> dict[str, tuple[int, bytes]]:
    """Make a sweep by a principal of its own; return time and record by region.

    The principal lists the instances of ``regions`` within ``window``.
    """
    kind = "sweep" if len(regions) >= NEEDED else "near-miss"
    rng = Random(f"{kind}/{number}")
    who = iam_user(account, f"{kind}-{number:06d}", f"198.51.100.{number % 250}", agents.KALI_CLI)
    events = [
        describe_instances(rng, who, window + 2 + index, region)
        for index, region in enumerate(regions)
    ]
    return {event.region: (event.time, _json(event.record)) for event in events}


def trail_document(records: Iterable[bytes]) -> bytes:
    return b'{"Records":[' + b",".join(records) + b"]}"


def compress(document: bytes) -> bytes:
    return gzip.compress(document, 6, mtime=0)


def sweeps_before(records: int) -> int:
    """Return the number of sweeps in the first ``records`` records."""
    return -(-records // SWEEP_EVERY)


def _write_files(
    root: Path, files: Iterable[tuple[Path, bytes]], records: int, alerts: int
) -> Corpus:
    json_bytes = stored = count = 0
    for path, document in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        data = compress(document)
        (root / path).write_bytes(data)
        json_bytes, stored, count = json_bytes + len(document), stored + len(data), count + 1
    return Corpus(root, False, count, records, json_bytes, stored, alerts)


def _account_and_period(plan: Plan, number: int) -> tuple[str, int]:
    period, index = divmod(number, plan.accounts)
    return list(ACCOUNTS)[index], period


def _group(plan: Plan, number: int) -> dict[str, list[tuple[int, bytes]]]:
    """Return the times and records of one account in one period, by region."""
    account, period = _account_and_period(plan, number)
    rng = Random(f"group/{number}")
    by_region: dict[str, list[tuple[int, bytes]]] = {region: [] for region in TRAIL_REGIONS}
    for planted in range(
        sweeps_before(number * plan.per_group), sweeps_before((number + 1) * plan.per_group)
    ):
        for regions in (TRAIL_REGIONS, TRAIL_REGIONS[: NEEDED - 1]):
            window = START + PERIOD * period + WINDOW * rng.randrange(PERIOD // WINDOW)
            for region, timed in sweep(planted, window, regions, account).items():
                by_region[region].append(timed)
    for region, timed_records in by_region.items():
        missing = plan.per_file - len(timed_records)
        timed_records += records(rng, account, region, period, missing, plan.people)
        rng.shuffle(timed_records)
    return by_region


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _path(account: str, region: str, label: int) -> Path:
    """Return a trail file's path, as in the CloudTrail User Guide."""
    unique = Random(f"{account}/{region}/{label}").getrandbits(64)
    day, minute = stamp(label, "%Y/%m/%d"), stamp(label, "%Y%m%dT%H%MZ")
    return Path(
        f"AWSLogs/{ORGANIZATION}/{account}/CloudTrail/{region}/{day}/"
        f"{account}_CloudTrail_{region}_{minute}_{unique:016x}.json.gz"
    )
