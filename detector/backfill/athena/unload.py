"""The UNLOAD statements of a backfill, one per span of days."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from detector.backfill.athena.conditions import record_conditions
from detector.backfill.athena.sql import SqlError, literal
from detector.backfill.athena.table import COLUMNS, TrailTable
from detector.backfill.spans import Span
from detector.cloudtrail.object_key import BACKFILL_FOLDER

MAX_STATEMENT_BYTES = 262_144
"""Athena's limit on a statement's length (Athena User Guide, "Service Quotas")."""


@dataclass(frozen=True)
class Unload:
    """The UNLOADs of a table's records into ``output``, an ``s3://`` URL without final slash."""

    table: TrailTable
    spans: Sequence[Span]
    output: str

    @property
    def folder(self) -> str:
        """The ``s3://`` URL of the folder of all results, which differs between selections."""
        question = self.select(self.table.span)
        digest = hashlib.sha256(question.encode()).hexdigest()[:12]
        return f"{self.output}/{BACKFILL_FOLDER}{digest}/"

    def select(self, span: Span) -> str:
        """Return the query for a span's records. Raises SqlError if it is too long."""
        names = ", ".join(COLUMNS)
        conditions = "\n  AND ".join(record_conditions(self.table.selection, span))
        text = (
            f'SELECT {names}\nFROM "{self.table.database}"."{self.table.name}"\nWHERE {conditions}'
        )
        if len(text.encode()) > MAX_STATEMENT_BYTES - 1024:
            raise SqlError("the statement is longer than Athena takes: name fewer values")
        return text

    def statement(self, span: Span, attempt: str = "1") -> str:
        """Return the UNLOAD of a span; ``attempt`` names the target folder, which must be empty."""
        target = literal(f"{self.folder}{span.name}/{attempt}/")
        return (
            f"UNLOAD (\n{self.select(span)}\n)\nTO {target}\n"
            "WITH (format = 'JSON', compression = 'gzip')"
        )

    def statements(self) -> Iterator[str]:
        """Yield the UNLOAD of each span."""
        for span in self.spans:
            yield self.statement(span)
