"""An engine without a cluster: rows in memory, split and ordered by chance."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from glob import glob
from pathlib import Path

from detector.backfill.spans import Span
from detector.backfill.spark.digest_files import TrailObject, digest_files
from detector.backfill.spark.engine_protocol import FolderSize
from detector.backfill.spark.find_signals import SearchResult, search_objects, select_chunks
from detector.backfill.spark.prune_hits import prune_hits, unite_hits
from detector.backfill.spark.rows import RowKind, StepRow
from detector.backfill.spark.rule_bundle import RuleBundle, unpack_rules
from detector.detection.correlate import PendingSearch
from detector.detection.signals.related_records import ChunkRequests


class LocalEngine:
    """An engine whose splits, orders and repetitions follow from ``seed``."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._rows: dict[str, list[StepRow]] = {}
        self._finished: set[str] = set()
        self.digested: list[str] = []

    def finished(self) -> set[str]:
        return self._finished

    def finish(self, name: str) -> None:
        self._finished.add(name)

    def digest(self, patterns: Sequence[str], name: str, rules: RuleBundle) -> None:
        self.digested.append(name)
        paths = [
            path for each in patterns for folder in glob(each) for path in Path(folder).glob("*")
        ]
        self._random.shuffle(paths)
        digester = unpack_rules(rules).digester
        rows: list[StepRow] = []
        for part in self._split(paths):
            rows += digest_files(map(read_object, map(str, part)), digester)
        self._rows[name] = self._shuffled(rows)

    def unite(
        self, names: Sequence[str], name: str, rules: RuleBundle, prunable: Span | None, hits: int
    ) -> None:
        loaded = unpack_rules(rules).rules
        buckets: dict[int, list[StepRow]] = defaultdict(list)
        for row in self.rows(names, "hit"):
            buckets[row.key[0] % 3].append(row)
        united = [
            row for bucket in buckets.values() for row in unite_hits(bucket, loaded, prunable)
        ]
        groups: dict[bytes, list[StepRow]] = defaultdict(list)
        for row in united:
            if row.kind == "series":
                groups[row.key].append(row)
        kept = [row for row in united if row.kind != "series"]
        for group in groups.values():
            assert prunable is not None
            kept += prune_hits(self._shuffled(group), loaded, prunable)
        self._rows[name] = self._shuffled(kept)

    def rows(self, names: Sequence[str], kind: RowKind) -> Iterator[StepRow]:
        found = [row for name in names for row in self._rows[name] if row.kind == kind]
        if kind != "observation":
            yield from found
            return
        spans: dict[bytes, StepRow] = {}
        for row in found:
            known = spans.get(row.key, row)
            spans[row.key] = row._replace(
                first=min(known.first, row.first), last=max(known.last, row.last)
            )
        yield from spans.values()

    def hits(self, names: Sequence[str], identities: Set[bytes]) -> Iterator[StepRow]:
        return (row for row in self.rows(names, "hit") if row.key in identities)

    def chunks(self, names: Sequence[str], searches: Sequence[PendingSearch]) -> Iterator[StepRow]:
        for part in self._split(list(self.rows(names, "chunk"))):
            yield from select_chunks(part, searches)

    def signals(
        self, requests: Mapping[str, ChunkRequests], rules: RuleBundle
    ) -> Iterator[SearchResult]:
        objects = [read_object(path) for path in requests if Path(path).exists()]
        return search_objects(objects, requests, unpack_rules(rules).flagging)

    def inventory_folders(self, manifest: str) -> list[FolderSize]:
        raise NotImplementedError

    def _split(self, items: list) -> Iterator[list]:
        while items:
            size = self._random.randint(1, len(items))
            yield items[:size]
            items = items[size:]

    def _shuffled(self, rows: Sequence[StepRow]) -> list[StepRow]:
        return self._random.sample(list(rows), len(rows))


def read_object(path: str) -> TrailObject:
    file = Path(path)
    return TrailObject(path, file.stat().st_mtime_ns // 10**6 * 10**6, file.read_bytes())
