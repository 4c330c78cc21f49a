"""Hunts: queries that are asked once, over files, and answered with rows.

A hunt file is Elastic's: a ``[hunt]`` table with one or more ES|QL queries. What a query means is as in rules;
only here SORT and LIMIT count, and a window of time is a column like any other.
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
from detector.esql import ast, parser
from detector.esql.errors import EsqlError
from detector.esql.expressions.scope import QueryOptions
from detector.esql.plan.accumulators import Inputs
from detector.esql.plan.planner import plan
from detector.esql.plan.prefilter import Prefilter
from detector.esql.plan.query import Query, SortableResult
from detector.formats import Records, Unreadable, parse_records, read_chunks
from detector.rules.rule import query_position
from detector.rules.rule_file import RuleError, line_of_key, parse_toml
from detector.sources.open_file import open_file

_T = TypeVar("_T")
Rows = Iterator[dict[str, Value]]


class Hunt(msgspec.Struct, frozen=True, kw_only=True, rename={"queries": "query"}):
    """What a hunt file says. ``notes`` are the author's, for who reads the rows."""

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
    """The hunt in a file (the query of a rule file is one too), and the file's text. Raises
    RuleError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(
            f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
        ) from None
    table = parse_toml(text)
    try:
        hunt = msgspec.convert(table.get("hunt", table.get("rule")), Hunt)
    except msgspec.ValidationError as error:
        raise RuleError(f"no hunt: {str(error)[:1].lower()}{str(error)[1:]}") from None
    if "rule" in table and table["rule"].get("type", "esql") != "esql":
        raise RuleError(
            "a rule that is not ES|QL cannot be run as a hunt", line_of_key(text, "type")
        )
    queries = [hunt.queries] if isinstance(hunt.queries, str) else hunt.queries
    return msgspec.structs.replace(hunt, queries=queries), text


def compiled(query: str, fields: FieldTable, now: int | None, text: str = "") -> Query:
    """A query of a hunt; ``now`` is what NOW() says, ``text`` the file that the query stands in.

    Raises RuleError, with the place in that file.
    """
    try:
        return plan(query, fields, QueryOptions(now))
    except EsqlError as error:
        line, column = query_position(text, query) if text else (1, 0)
        raise RuleError(
            error.message, line + error.line - 1, error.column + (column if error.line == 1 else 0)
        ) from None


def asks_now(query: str) -> bool:
    """Whether NOW() stands in the query."""
    try:
        return ast.depends_on_time(parser.parse_query(query))
    except EsqlError:
        return False


class Reader:
    """The events in some files, each once. ``problems`` collects what could not be read, a line
    each."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = list(paths)
        self.problems: dict[str, str] = {}

    def newest(self) -> int | None:
        """The newest event time, in seconds since the epoch."""
        times = (
            time
            for _, records in self._parsed()
            for call, indexes in records.by_signature.items()
            if not skip_reason(Head(None, *call))
            for index in indexes
            if (time := records.times[index]) is not None
        )
        return max(times, default=None)

    def asked(
        self, query: Query, ask: Callable[[Record, int], Sequence[_T]]
    ) -> Iterator[tuple[int, Sequence[_T]]]:
        """What ``ask`` gives for a record and its time, with that time: for the events that get
        through the filter."""
        seen: set[bytes] = set()
        for path, records in self._parsed():
            for index in _let_in(records, query.prefilter):
                if (time := records.times[index]) is None:
                    continue
                try:
                    record = records.record(index)
                    if not (given := ask(record, time)):
                        continue
                    name = identity(
                        record.recipient_account_id or "",
                        event_id(record, records.canonical(index)),
                    )
                except RecursionError:
                    self.problems[path] = (
                        f"{path}: a record in it is nested too deep to be looked at"
                    )
                    continue
                if name not in seen:
                    seen.add(name)
                    yield time, given

    def _parsed(self) -> Iterator[tuple[str, Records]]:
        for path in self._paths:
            try:
                with open_file(path) as file:
                    for chunk in read_chunks(file):
                        yield path, parse_records(chunk)
            except OSError as error:
                self.problems[path] = f"{path}: {error.strerror}"
            except Unreadable as error:
                self.problems[path] = f"{path}: {error}"


def _let_in(records: Records, gate: Prefilter) -> list[int]:
    """The events that may get through the filter, in order."""
    heads = ((Head(None, *call), indexes) for call, indexes in records.by_signature.items())
    return sorted(
        index
        for head, indexes in heads
        if not skip_reason(head) and gate.accepts_pair(head) and gate.accepts(head)
        for index in indexes
    )


def rows(query: Query, reader: Reader) -> Rows:
    """What the query returns: as it is found where its order does not matter, or else at the
    end."""
    found = _grouped(query, reader) if query.grouping else _filtered(query, reader)
    if query.orders:
        found = iter(_sorted(query, found))
    return islice((row for row, _ in found), query.limit)


def _filtered(query: Query, reader: Reader) -> Iterator[SortableResult]:
    for _, emitted in reader.asked(
        query, lambda record, time: list(query.filter_results(record, time))
    ):
        yield from emitted


def _grouped(query: Query, reader: Reader) -> Iterator[SortableResult]:
    groups: dict[tuple[int, tuple[Value, ...]], list[Inputs]] = defaultdict(list)
    for time, added in reader.asked(query, query.rows):
        start = time // query.window * query.window if query.window else 0
        for key, inputs in added:
            groups[start, key].append(inputs)
    if not groups and not query.key_names and query.window is None:
        groups[0, ()] = []  # without BY there is one group, be it empty
    return chain.from_iterable(
        query.group_results(start, key, inputs) for (start, key), inputs in groups.items()
    )


def _sorted(query: Query, found: Iterable[SortableResult]) -> list[SortableResult]:
    result = list(found)
    for place in reversed(range(len(query.orders))):
        result.sort(
            key=lambda emitted, place=place: emitted[1][place],  # type: ignore[misc]
            reverse=query.orders[place].descending,
        )
    return result
