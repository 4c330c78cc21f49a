"""The last step: load the rows of all days into a state, as if a scan had read the files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from detector.backfill.spans import Span
from detector.backfill.spark.activity_sum import sum_activity
from detector.backfill.spark.engine_protocol import Engine
from detector.backfill.spark.find_signals import chunk_requests, collect_signals
from detector.backfill.spark.rows import (
    FolderTally,
    StepRow,
    decode_event,
    decode_observation,
    decode_tally,
    encode_body,
)
from detector.backfill.spark.rule_bundle import RuleBundle
from detector.detection.correlate import find_hops
from detector.detection.digest import ChunkStats, Partial
from detector.detection.risk import RiskTable
from detector.detection.signals.found_signals import Signals, missing_flags
from detector.rules.ruleset import RuleSet
from detector.sources.day_folder import folder_above, is_day_folder
from detector.sources.source import SourceFile
from detector.store import LATENESS, FileRead, FileRow, Store

_HITS_A_COMMIT = 20_000
_OBSERVATIONS_A_COMMIT = 50_000

FolderTallies = dict[str, FolderTally]
"""What was read in each folder, by the folder's path."""


class LoadError(Exception):
    """The state cannot take the rows; the message is one line that says what to do."""


class DayLoader:
    """Loads the days that an engine has read into a state.

    ``names`` are the names of the days' rows. Loading the same days again changes nothing."""

    def __init__(
        self,
        store: Store,
        rules: RuleSet,
        engine: Engine,
        names: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._engine = engine
        self._names = names
        self._clock = clock
        store.use(rules)

    def tallies(self) -> FolderTallies:
        """Return what was read in each folder."""
        tallies: FolderTallies = {}
        for row in self._engine.rows(self._names, "tally"):
            tallies.setdefault(row.folder, FolderTally()).add(decode_tally(row.body))
        return tallies

    def is_loaded(self, tallies: FolderTallies) -> bool:
        """Tell whether the state already holds exactly these folders, and the files outside them.

        Raises LoadError if the state holds only some of the folders, or if nothing was read."""
        files = {row.key.decode() for row in self._engine.rows(self._names, "file")}
        if not tallies and not files:
            raise LoadError(
                "no trail file of these days was found: check the source, accounts and regions"
            )
        known = {row.path: row for row in self._store.files.all()}
        prints = {folder: _fingerprint(tally) for folder, tally in tallies.items()}
        held = [folder for folder in tallies if folder in known]
        if known.keys() >= tallies.keys() | files and all(
            known[folder].fingerprint == prints[folder] for folder in held
        ):
            return True
        single = [
            path
            for path, row in known.items()
            if row.files and not is_day_folder(path) and folder_above(path) in tallies
        ]
        if held or single:
            what = (held or single)[0]
            raise LoadError(
                f"{what}: the database has read it, and not all of these days: name a new one "
                "with --db; days that were read on the cluster are not read there again"
            )
        return False

    def load_events(self, united: str) -> None:
        """Load the distinct events, and derive the alerts."""
        hits = iter(self._engine.rows([united], "hit"))
        while batch := list(islice(hits, _HITS_A_COMMIT)):
            self._store.commit(self._reads_of(batch))
        self._store.derivation.derive()

    def load_signals(self, rules: RuleBundle) -> list[str]:
        """Search for the alerts' signals until no search is pending; return the problems."""
        unread: dict[str, str] = {}
        while True:
            newest, searches = self._store.context.pending_searches(0)
            if not searches:
                return missing_flags(unread)
            rows = self._engine.chunks(self._names, searches)
            requests = dict(chunk_requests(rows, searches))
            signals = collect_signals(self._engine.signals(requests, rules), requests)
            unread |= signals.unread
            self._load_places(signals)
            searched = {search.request.name: newest for search in searches}
            self._store.context.add_signals(
                signals, find_hops(searches, signals.opened_sessions()), searched
            )

    def load_folders(self, tallies: FolderTallies, united: str, pruned: Span | None) -> None:
        """Load the counts of the folders; only after that do the folders count as loaded."""
        observations = iter(self._engine.rows(self._names, "observation"))
        while batch := list(islice(observations, _OBSERVATIONS_A_COMMIT)):
            self._store.extend_baseline(
                {decode_observation(row.key): (row.first, row.last) for row in batch}
            )
        bodies: dict[str, list[bytes]] = {}
        for row in self._engine.rows(self._names, "activity"):
            bodies.setdefault(row.folder, []).append(row.body)
        standing = dict.fromkeys(tallies, 0)
        for row in self._engine.rows([united], "standing"):
            standing[row.folder] += row.first
        reads = [
            self._folder(folder, tally, bodies.get(folder, []))
            for folder, tally in sorted(tallies.items())
        ]
        reads += self._single_files()
        self._store.load(reads, standing, pruned, self._clock() + LATENESS)

    def finish(self, risk: RiskTable) -> None:
        """Compute the alerts' context, and settle the alerts."""
        self._store.activity.fold()
        self._store.context.refresh(risk)
        self._store.alerts.settle(float("inf"))

    def _load_places(self, signals: Signals) -> None:
        """Load the files of the signals' events, and the hits with the same identities.

        Such a hit was dropped by pruning, but may be a different record; the smaller one prevails.
        """
        partials = {path: Partial() for path, _ in signals.events.chunks}
        identities = set(signals.events.names())
        if identities:
            for row in self._engine.hits(self._names, identities):
                event = msgspec.structs.replace(decode_event(row.body), matches=(), stale=())
                partial = partials.setdefault(event.position.source, Partial())
                partial.add_hit(row.key, event)
        self._store.commit([self._place(path, each) for path, each in partials.items()])

    def _reads_of(self, rows: Iterable[StepRow]) -> list[FileRead]:
        partials: dict[str, Partial] = {}
        for row in rows:
            event = decode_event(row.body)
            partial = partials.setdefault(event.position.source, Partial())
            partial.add_hit(row.key, event)
        return [self._place(path, partial) for path, partial in partials.items()]

    def _place(self, path: str, partial: Partial) -> FileRead:
        """Return the read of a file whose row exists only for the position of its events."""
        generation = self._store.rules.generation
        file = SourceFile(path, 0, _number_of(path), 0, 0)
        return FileRead(FileRow(file, "read", generation=generation, files=0), partial)

    def _folder(self, folder: str, tally: FolderTally, bodies: Sequence[bytes]) -> FileRead:
        row = FileRow(
            SourceFile(folder, 0, _number_of(folder), tally.bytes, tally.newest_ns),
            "read",
            fingerprint=_fingerprint(tally),
            generation=self._store.rules.generation,
            files=tally.files,
        )
        stats = ChunkStats(
            0,
            seen=tally.seen,
            hits=tally.hits,
            skipped=tally.skipped,
            rejected=tally.rejected,
            first=tally.first,
            last=tally.last,
            activity=sum_activity(bodies),
            bridged=tally.bridged,
            bridged_read_only=tally.bridged_read_only,
        )
        return FileRead(row, Partial({(folder, 0): stats}))

    def _single_files(self) -> Iterator[FileRead]:
        for row in self._engine.rows(self._names, "file"):
            file = msgspec.msgpack.decode(row.body, type=FileRow)
            generation = self._store.rules.generation
            yield FileRead(msgspec.structs.replace(file, generation=generation), Partial())


def _number_of(path: str) -> int:
    """Return a number in place of an inode, as files are looked up by it; collisions are rare."""
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest()) >> 1


def _fingerprint(tally: FolderTally) -> bytes:
    """Hash what was read in a folder."""
    counts = [sorted(reasons.items()) for reasons in (tally.skipped, tally.rejected)]
    rest = msgspec.structs.replace(tally, skipped={}, rejected={})
    return hashlib.blake2b(encode_body([rest, counts]), digest_size=16).digest()
