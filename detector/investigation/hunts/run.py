"""Runs of hunt queries: their rows, and which rows are new since the last run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Set

import msgspec

from detector.ecs.values import Value
from detector.esql.plan.query import Query
from detector.investigation.hunt import EventReader, result_rows
from detector.sources.file_span import FileSpan
from detector.store import Store
from detector.text.json_output import json_line
from detector.text.plural import plural
from detector.triage.hunt_record import HuntQuery, HuntRecord, HuntScope

MOST_ROWS = 10_000
"""Maximum rows kept of a run; with more, the user needs LIMIT or STATS."""

_EVER = 1 << 40
"""A time later than any in a log, in epoch seconds."""

ResultRow = dict[str, Value]


class HuntResult(msgspec.Struct, frozen=True):
    """The rows of a run, each with whether it is new.

    ``compared``: there was an earlier run to compare with. ``truncated``: there are more rows.
    ``digests`` identify the rows for comparison with the next run."""

    columns: tuple[str, ...]
    rows: Sequence[ResultRow]
    new: Sequence[bool]
    compared: bool
    truncated: bool
    digests: Sequence[bytes]

    @property
    def new_count(self) -> int | None:
        """The number of new rows; None if there was no run to compare with."""
        return sum(self.new) if self.compared else None

    @property
    def phrase(self) -> str:
        """The number of rows, and of new rows, in a few words."""
        said = plural(len(self.rows), "row")
        if self.truncated:
            said = f"the first {MOST_ROWS:,} rows: add LIMIT or STATS"
        if self.new_count is not None:
            said += f", {self.new_count:,} new since the last run"
        return said


def run_query(query: Query, reader: EventReader, last: Set[bytes] | None = None) -> HuntResult:
    """Run a query over a reader's events; ``last`` are the row digests of the previous run."""
    rows = list(result_rows(query, reader, MOST_ROWS + 1))
    truncated = len(rows) > MOST_ROWS
    del rows[MOST_ROWS:]
    columns = list(query.columns)
    if query.sparse and rows:
        columns = [column for column in columns if any(column in row for row in rows)]
    digests = [_digest(row) for row in rows]
    return HuntResult(
        tuple(columns),
        rows,
        [last is not None and digest not in last for digest in digests],
        last is not None,
        truncated,
        digests,
    )


def rows_before(store: Store, hunt: HuntRecord, query: HuntQuery) -> Set[bytes] | None:
    """Return the row digests of a query's last run; None if there is none."""
    fingerprint = run_fingerprint(query, hunt.scope)
    return store.hunts.last_rows(hunt.hunt_id, query.query_id, fingerprint)


def remember_run(store: Store, hunt: HuntRecord, query: HuntQuery, result: HuntResult) -> None:
    """Record a run over all held files, unless its rows are truncated or the state is read-only."""
    if store.read_only or result.truncated:
        return
    fingerprint = run_fingerprint(query, hunt.scope)
    store.hunts.record_run(
        hunt.hunt_id, query.query_id, fingerprint, result.digests, result.new_count
    )


def held_files(store: Store, scope: HuntScope) -> list[FileSpan]:
    """Return the state's files that may hold events in scope."""
    since = scope.since or 0
    until = _EVER if scope.until is None else scope.until
    return store.chunks.file_spans(since, until)


def run_fingerprint(query: HuntQuery, scope: HuntScope) -> str:
    """Return a hash of the query's text and scope: only runs with equal hashes are comparable."""
    limits = [scope.since, scope.until, sorted(scope.accounts), sorted(scope.principals)]
    asked = json_line([query.language, query.text.strip(), limits])
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _digest(row: ResultRow) -> bytes:
    return hashlib.blake2b(json_line(row).encode(), digest_size=8).digest()
