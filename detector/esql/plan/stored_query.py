"""Store compiled queries, and compile the rest of them when they first run.

The parts that decide which records a query needs, and how its hits are grouped, are stored. The
rest is compiled from the stored tree on first use: out of a thousand rules, few match any record of
a log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, cast

import msgspec

from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.expressions.scope import QueryOptions
from detector.esql.node_codec import decode_node, encode_node
from detector.esql.plan.predicate_analysis import Pair
from detector.esql.plan.prefilter import HeadCondition, Prefilter
from detector.esql.plan.query import Query, Shape

_ENCODER = msgspec.msgpack.Encoder()


class StoredCondition(msgspec.Struct, frozen=True, array_like=True):
    """A condition on heads; ``node`` is an encoded syntax tree."""

    reads: frozenset[str]
    node: msgspec.Raw


class StoredQuery(msgspec.Struct, frozen=True, array_like=True):
    """A query without its compiled parts; ``tree`` and ``key_nodes`` are encoded.

    ``pair``, ``rest``, ``caller`` and ``is_exact`` are those of the prefilter."""

    shape: Shape
    required_pairs: list[Pair]
    pair: list[StoredCondition]
    rest: list[StoredCondition]
    caller: list[StoredCondition]
    is_exact: bool
    window: int | None
    window_column: str | None
    calendar_span: int | None
    key_names: tuple[str, ...]
    min_hits: int
    sparse: bool
    limit: int | None
    thresholds: tuple[str, ...]
    time_inputs: tuple[int, ...] | None
    unites_rows: bool
    tree: msgspec.Raw
    key_nodes: msgspec.Raw


_AS_THEY_ARE = (
    "shape",
    "window",
    "window_column",
    "calendar_span",
    "key_names",
    "min_hits",
    "sparse",
    "limit",
    "thresholds",
    "time_inputs",
    "unites_rows",
)
"""The fields of a query that are stored unchanged under their own names."""


class _DeferredQuery(Query):
    """A query that compiles its missing fields when one of them is first read."""

    __slots__ = ("_compile",)

    @classmethod
    def of(cls, known: dict[str, Any], compile: Callable[[], Query]) -> Query:
        """Make a query with these known fields; ``compile`` returns the complete query."""
        query = cls.__new__(cls)
        object.__setattr__(query, "_compile", compile)
        for name, value in known.items():
            object.__setattr__(query, name, value)
        return query

    def __getattr__(self, name: str) -> Any:
        """Compile and return a missing field. Raises AttributeError if there is no such field."""
        if name not in _FIELD_NAMES:
            raise AttributeError(name)
        compiled = self._compile()
        for each in _FIELD_NAMES:
            if each not in _KNOWN_NAMES:
                object.__setattr__(self, each, getattr(compiled, each))
        return getattr(self, name)


_FIELD_NAMES = frozenset(each.name for each in fields(Query))
_KNOWN_NAMES = frozenset({*_AS_THEY_ARE, "text", "required_pairs", "prefilter"})


def depends_on_files(query: Query) -> bool:
    """Tell whether a query reads lookup tables, and so depends on more than its text."""
    return any(isinstance(each, ast.Enrich | ast.LookupJoin) for each in query.tree.commands)


def store_query(query: Query) -> StoredQuery:
    """Return the storable form of a query."""
    return StoredQuery(
        **{name: getattr(query, name) for name in _AS_THEY_ARE},
        required_pairs=sorted(query.required_pairs, key=repr),
        pair=_stored(query.prefilter.pair),
        rest=_stored(query.prefilter.rest),
        caller=_stored(query.prefilter.caller),
        is_exact=query.prefilter.is_exact,
        tree=_raw(query.tree),
        key_nodes=_raw(query.key_nodes),
    )


def restore_query(
    stored: StoredQuery, text: str, table: FieldTable, options: QueryOptions
) -> Query:
    """Restore a stored query; the fields and options must be those with which it was compiled."""

    def compile() -> Query:
        tree = cast(ast.Tree, _decoded(stored.tree))
        keys = cast("tuple[ast.Named, ...]", _decoded(stored.key_nodes))
        from detector.esql.plan.planner import plan_tree  # not needed by a scan without hits

        return plan_tree(tree, text, table, options, keys)

    known = {name: getattr(stored, name) for name in _AS_THEY_ARE}
    known["text"] = text
    known["required_pairs"] = frozenset(stored.required_pairs)
    known["prefilter"] = Prefilter(
        _restored(stored.pair, table, options),
        _restored(stored.rest, table, options),
        stored.is_exact,
        _restored(stored.caller, table, options),
    )
    return _DeferredQuery.of(known, compile)


def _stored(conditions: Sequence[HeadCondition]) -> list[StoredCondition]:
    return [StoredCondition(each.reads, _raw(each.node)) for each in conditions]


def _restored(
    conditions: Sequence[StoredCondition], table: FieldTable, options: QueryOptions
) -> tuple[HeadCondition, ...]:
    return tuple(_condition(each, table, options) for each in conditions)


def _condition(stored: StoredCondition, table: FieldTable, options: QueryOptions) -> HeadCondition:
    return HeadCondition(stored.reads, lambda: _decoded(stored.node), table, options)


def _raw(node: object) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(encode_node(node)))


def _decoded(raw: msgspec.Raw) -> Any:
    return decode_node(msgspec.msgpack.decode(raw))
