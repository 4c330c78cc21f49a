"""What a backfill asks of the engine that runs it."""

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
    """The engine cannot be used, or a job of it failed; the message is one line."""


class FolderSize(NamedTuple):
    """How many files and bytes a folder has, by an inventory."""

    folder: str
    files: int
    bytes: int


class Engine(Protocol):
    """An engine that reads folders of trail files and keeps rows. All raise EngineError.

    What was written is known by a name, which can be that of a folder."""

    def finished(self) -> set[str]:
        """Return the names of rows that were written whole, and marked."""

    def digest(self, patterns: Sequence[str], name: str, rules: RuleBundle) -> None:
        """Read the files right in the folders that match patterns; write their rows.

        Files that could not be got are among them. What has the name is replaced."""

    def finish(self, name: str) -> None:
        """Mark rows as whole."""

    def unite(self, names: Sequence[str], name: str, rules: RuleBundle, prunable: Span | None,
              hits: int) -> None:  # fmt: skip
        """Write the events of all hits, about so many, each once; drop what no alert needs."""

    def rows(self, names: Sequence[str], kind: RowKind) -> Iterator[StepRow]:
        """Yield the rows of a kind; observations once, over their whole span."""

    def hits(self, names: Sequence[str], identities: Set[bytes]) -> Iterator[StepRow]:
        """Yield the hits with these identities."""

    def chunks(self, names: Sequence[str], searches: Sequence[PendingSearch]) -> Iterator[StepRow]:
        """Yield the rows of chunks that may hold signals of alerts."""

    def signals(
        self, requests: Mapping[str, ChunkRequests], rules: RuleBundle
    ) -> Iterator[SearchResult]:
        """Search files for signals, by their paths; those that could not be got have no result."""

    def inventory_folders(self, manifest: str) -> list[FolderSize]:
        """Read an S3 Inventory's list of objects, and return their folders by key."""
