"""Hunts: ES|QL queries that run once over files and return rows.

A hunt file has Elastic's format: a ``[hunt]`` table with one or more ES|QL queries. Queries mean
the same as in rules, except that SORT and LIMIT apply, and a time window is an ordinary column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import msgspec

from detector.cloudtrail.record import Head, Record, event_id, identity, skip_reason
from detector.ecs.fields import FieldTable
from detector.ecs.values import Value
from detector.esql import parser
from detector.esql.errors import EsqlError
from detector.esql.expressions.scope import QueryOptions
from detector.esql.lookup.files import NO_LOOKUPS, Lookups
from detector.esql.plan.accumulators import Inputs
from detector.esql.plan.planner import plan
from detector.esql.plan.prefilter import Prefilter
from detector.esql.plan.query import Query, SortableResult
from detector.esql.tree_walk import depends_on_time
from detector.formats import Records, Unreadable, parse_records, read_chunks
from detector.rules.rule_file import RuleError, line_of_key, parse_toml, read_file_text
from detector.rules.rule_text import query_position
from detector.sources.open_file import open_file
from detector.triage.hunt_record import UNLIMITED, HuntScope

_T = TypeVar("_T")
ResultRows = Iterator[dict[str, Value]]

_SORTED_AT_ONCE = 1_000
"""Results held beyond twice the limit before a sort drops those over the limit."""


class Hunt(msgspec.Struct, frozen=True, kw_only=True, rename={"queries": "query"}):
    """A hunt file; ``notes`` are the author's advice on reading the rows."""

    name: str = ""
    description: str = ""
    uuid: str = ""
    author: list[str] | str = ""
    language: list[str] | str = []
    queries: list[str] | str
    notes: list[str] = []
    mitre: list[str] = []
    references: list[str] = []


def read_hunt(path: Path) -> tuple[Hunt, str]:
    """Read a hunt or rule file as a hunt; return the hunt and the file's text.

    Raises RuleError.
    """
    text = read_file_text(path)
    table = parse_toml(text)
    try:
        hunt = msgspec.convert(table.get("hunt", table.get("rule")), Hunt)
    except msgspec.ValidationError as error:
        raise RuleError(f"not a hunt: {str(error)[:1].lower()}{str(error)[1:]}") from None
    if "rule" in table and table["rule"].get("type", "esql") != "esql":
        raise RuleError(
            "a rule that is not ES|QL cannot be run as a hunt", line_of_key(text, "type")
        )
    queries = [hunt.queries] if isinstance(hunt.queries, str) else hunt.queries
    return msgspec.structs.replace(hunt, queries=queries), text


def compile_hunt_query(
    query: str,
    fields: FieldTable,
    now: int | None,
    text: str = "",
    lookups: Lookups = NO_LOOKUPS,
) -> Query:
    """Compile a hunt's query.

    ``now`` is the value of NOW(), ``text`` the file that contains the query, ``lookups`` the lookup
    tables it may use. Raises RuleError with the line and column in that file.
    """
    try:
        return plan(query, fields, QueryOptions(now, lookups=lookups))
    except EsqlError as error:
        line, column = query_position(text, query) if text else (1, 0)
        if error.line > 1:  # only the first line of the query is indented by the file
            column = 0
        raise RuleError(error.message, line + error.line - 1, error.column + column) from None


def uses_now(query: str) -> bool:
    """Return whether a query calls NOW()."""
    try:
        return depends_on_time(parser.parse_query(query))
    except EsqlError:
        return False


class EventReader:
    """A reader of the events in files; ``problems`` describes each file that failed.

    Only events in ``scope`` count. Before a chunk's events are read, ``on_chunk`` is called with
    the file's path and the chunk's end in it, in bytes; an exception it raises ends the reading."""

    def __init__(
        self,
        paths: Iterable[str],
        scope: HuntScope = UNLIMITED,
        on_chunk: Callable[[str, int], None] = lambda _path, _end: None,
    ) -> None:
        self._paths = list(paths)
        self._scope = scope
        self._on_chunk = on_chunk
        self.problems: dict[str, str] = {}

    def newest(self) -> int | None:
        """Return the newest event time, in epoch seconds."""
        newest = None
        for _, records in self._parsed():
            times = [records.times[index] for index in _event_indexes(records)]
            newest = max((time for time in (*times, newest) if time is not None), default=None)
        return newest

    def evaluate(
        self, query: Query, ask: Callable[[Record, int], Sequence[_T]]
    ) -> Iterator[tuple[int, Sequence[_T]]]:
        """Yield the results of ``ask`` for the events that may pass the query's filter.

        ``ask`` gets a record and its time; results are yielded with that time. An event that was
        delivered more than once counts once.
        """
        seen: set[bytes] = set()
        for path, records in self._parsed():
            for index in _event_indexes(records, query.prefilter):
                time = records.times[index]
                if time is None or not self._scope.contains(time):
                    continue
                try:
                    record = records.record(index)
                    if not self._is_in_scope(record):
                        continue
                    results = ask(record, time)
                    if not results:
                        continue
                    event_key = identity(
                        record.account,
                        event_id(record, records.canonical(index)),
                    )
                except RecursionError:
                    self.problems[path] = f"{path}: a record in it is nested too deep to read"
                    continue
                if event_key not in seen:
                    seen.add(event_key)
                    yield time, results

    def _is_in_scope(self, record: Record) -> bool:
        caller = record.caller
        names = (caller.arn, caller.access_key_id, record.role_arn)
        return self._scope.accepts(record.account, names)

    def _parsed(self) -> Iterator[tuple[str, Records]]:
        for path in self._paths:
            try:
                with open_file(path) as file:
                    for chunk in read_chunks(file):
                        self._on_chunk(path, file.tell())
                        yield path, parse_records(chunk)
            except OSError as error:
                self.problems[path] = f"{path}: {error.strerror}"
            except Unreadable as error:
                self.problems[path] = f"{path}: {error}"


def _event_indexes(records: Records, prefilter: Prefilter | None = None) -> list[int]:
    """Return the indexes of the events that may pass a filter, in order."""
    accepted: list[int] = []
    for signature, indexes in records.by_signature.items():
        head = Head(None, *signature)
        if skip_reason(head):
            continue
        if prefilter and not (prefilter.accepts_pair(head) and prefilter.accepts(head)):
            continue
        accepted += indexes
    return sorted(accepted)


def result_rows(query: Query, reader: EventReader, most: int | None = None) -> ResultRows:
    """Return a query's rows, at most ``most``, streamed unless the query sorts."""
    results = _grouped(query, reader) if query.grouping else _filtered(query, reader)
    limit = min((each for each in (query.limit, most) if each is not None), default=None)
    if query.orders:
        results = iter(_first_in_order(query, results, limit))
    return islice((row for row, _ in results), limit)


def _filtered(query: Query, reader: EventReader) -> Iterator[SortableResult]:
    for _, results in reader.evaluate(
        query, lambda record, time: list(query.filter_results(record, time))
    ):
        yield from results


def _grouped(query: Query, reader: EventReader) -> Iterator[SortableResult]:
    groups: dict[tuple[int, tuple[Value, ...]], list[Inputs]] = defaultdict(list)
    for time, added in reader.evaluate(query, query.rows):
        start = time // query.window * query.window if query.window else 0
        for key, inputs in added:
            groups[start, key].append(inputs)
    if not groups and not query.key_names and query.window is None:
        groups[0, ()] = []  # without BY there is always one group, even an empty one
    return chain.from_iterable(
        query.group_results(start, key, inputs) for (start, key), inputs in groups.items()
    )


def _first_in_order(
    query: Query, results: Iterable[SortableResult], limit: int | None
) -> list[SortableResult]:
    """Return the sorted results up to the limit, holding only a few beyond it at a time."""
    first: list[SortableResult] = []
    for result in results:
        first.append(result)
        if limit is not None and len(first) > 2 * limit + _SORTED_AT_ONCE:
            _sort(query, first)
            del first[limit:]
    _sort(query, first)
    return first


def _sort(query: Query, results: list[SortableResult]) -> None:
    # Sort by the last key first: stable sorts keep its order among equal earlier keys.
    for index in reversed(range(len(query.orders))):
        results.sort(
            key=lambda result, index=index: result[1][index],  # type: ignore[misc]
            reverse=query.orders[index].descending,
        )
