"""The protocol of engines that run a backfill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from detector.backfill.spans import Span
from detector.backfill.spark.find_signals import SearchResult
from detector.backfill.spark.rows import RowKind, StepRow
from detector.backfill.spark.rule_bundle import RuleBundle
from detector.detection.correlate import PendingSearch
from detector.detection.signals.related_records import ChunkRequests


class EngineError(Exception):
    """The engine is unusable, or one of its jobs failed; the message is one line."""


class FolderSize(NamedTuple):
    """The number of files and bytes in a folder, according to an inventory."""

    folder: str
    files: int
    bytes: int


class Engine(Protocol):
    """An engine that reads folders of trail files and stores rows. Methods raise EngineError.

    Rows are stored under names that are valid as folder names."""

    def finished(self) -> set[str]:
        """Return the names of rows that were marked as complete."""

    def digest(self, patterns: Sequence[str], name: str, rules: RuleBundle) -> None:
        """Read the files directly in the folders that match patterns, and store their rows.

        Files that could not be read have rows too. Rows stored under the same name are replaced."""

    def finish(self, name: str) -> None:
        """Mark rows as complete."""

    def unite(self, names: Sequence[str], name: str, rules: RuleBundle, prunable: Span | None,
              hits: int) -> None:  # fmt: skip
        """Store each event of about ``hits`` hits once, without events that no alert needs."""

    def rows(self, names: Sequence[str], kind: RowKind) -> Iterator[StepRow]:
        """Yield the rows of a kind; each observation once, with its whole span."""

    def hits(self, names: Sequence[str], identities: Set[bytes]) -> Iterator[StepRow]:
        """Yield the hits with these identities."""

    def chunks(self, names: Sequence[str], searches: Sequence[PendingSearch]) -> Iterator[StepRow]:
        """Yield the rows of chunks that may hold signals of alerts."""

    def signals(
        self, requests: Mapping[str, ChunkRequests], rules: RuleBundle
    ) -> Iterator[SearchResult]:
        """Search files for signals, by path; files that could not be read have no result."""

    def inventory_folders(self, manifest: str) -> list[FolderSize]:
        """Read an S3 Inventory's object lists, and return the folders of the keys."""
