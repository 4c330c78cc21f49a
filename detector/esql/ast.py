"""The syntax tree of all query languages, before names are resolved."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.esql.errors import Span


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a query.

    Equality and ``repr`` ignore the span. The ``repr`` is part of every rule's fingerprint, which
    is stored, so a renamed class or field must keep its old name in the ``repr``.
    """

    span: Span

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "span"}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(tuple(self._parts().values()))

    def __repr__(self) -> str:
        parts = [f"{name}={value!r}" for name, value in self._parts().items()]
        return f"{type(self).__qualname__}({', '.join(parts)})"


class Expression(Node, frozen=True):
    """A node that has a value."""


class Literal(Expression, frozen=True):
    """A constant; a tuple is a multivalue."""

    value: bool | int | float | str | tuple[Any, ...] | None


class Timespan(Expression, frozen=True):
    amount: int
    unit: str


class Column(Expression, frozen=True):
    name: str


class OptionalColumn(Column, frozen=True):
    """A column that is null if no field has its name (EQL's ``?name``)."""


class Call(Expression, frozen=True):
    """``name(arguments)``; ``on_rows`` marks ``name(*)``, as in ``count(*)``."""

    name: str
    arguments: tuple[Expression, ...]
    on_rows: bool = False


class Not(Expression, frozen=True):
    operand: Expression


class Logic(Expression, frozen=True):
    """The conjunction (``and``) or disjunction (``or``) of ``operands``."""

    operator: str
    operands: tuple[Expression, ...]


class Compare(Expression, frozen=True):
    operator: str  # == != < <= > >=
    left: Expression
    right: Expression


class Arithmetic(Expression, frozen=True):
    operator: str  # + - * / %
    left: Expression
    right: Expression


class Negate(Expression, frozen=True):
    operand: Expression


class In(Expression, frozen=True):
    value: Expression
    options: tuple[Expression, ...]


class Like(Expression, frozen=True):
    """``value like patterns``, or ``rlike`` if ``regular``."""

    value: Expression
    patterns: tuple[str, ...]
    regular: bool


class InsensitiveLike(Expression, frozen=True):
    """Case-insensitive ``Like``."""

    value: Expression
    patterns: tuple[str, ...]
    regular: bool


class AnyValue(Expression, frozen=True):
    """EQL's condition on fields: true if it holds for some value of each field, otherwise false.

    Each occurrence of a field stands for any of its values independently; a field without a value
    is null."""

    condition: Expression


class IsNull(Expression, frozen=True):
    operand: Expression


class FieldMatch(Expression, frozen=True):
    """KQL's condition on a field.

    True if one of the field's values matches, otherwise false, even without a value. ``operator``:
    ``:`` equals ``value``, ``*`` matches it as a wildcard pattern, ``regexp`` as a Lucene regex,
    ``exists``, or one of ``< <= > >=``.
    """

    field: Column
    operator: str
    value: str

    def __repr__(self) -> str:
        """Return the form that fingerprints contain, with the class's former name."""
        return f"Holds(field={self.field!r}, operator={self.operator!r}, value={self.value!r})"


class RangeMatch(Expression, frozen=True):
    """True if one of the field's values is within all ``bounds``: pairs of operator and value."""

    field: Column
    bounds: tuple[tuple[str, str], ...]


class ValueMatch(Expression, frozen=True):
    """Sigma's condition on a field.

    True if one of the field's values satisfies the operator with one of ``values``, otherwise
    false, even without a value. ``operator``: ``equal``, ``contains``, ``startswith``,
    ``endswith``, ``like`` (``*`` and ``?``; ``\\`` escapes), ``regex``, ``cidr``, one of
    ``< <= > >=``, or ``null``, which is true without a value. Case matters only if ``cased``."""

    field: Column
    operator: str
    values: tuple[str, ...] = ()
    cased: bool = False


class SameText(Expression, frozen=True):
    """Sigma's comparison of two fields: true if some value of ``left`` matches one of ``right``.

    ``operator``: ``equal``, ``contains``, ``startswith`` or ``endswith``."""

    left: Column
    right: Column
    operator: str
    cased: bool = False


class Matching(Expression, frozen=True):
    """The names of the conditions that are true, as a multivalue; null if none is."""

    names: tuple[str, ...]
    conditions: tuple[Expression, ...]


class Cast(Expression, frozen=True):
    operand: Expression
    type: str


class Named(Node, frozen=True):
    """An expression with a name, which defaults to its text."""

    name: str
    expression: Expression


class Aggregation(Node, frozen=True):
    """A column that STATS computes over the rows for which ``condition`` is true, None: all."""

    named: Named
    condition: Expression | None


class Command(Node, frozen=True):
    """A command of a query, between pipes."""


class From(Command, frozen=True):
    patterns: tuple[str, ...]
    metadata: tuple[str, ...]


class Row(Command, frozen=True):
    columns: tuple[Named, ...]


class Where(Command, frozen=True):
    condition: Expression


class Eval(Command, frozen=True):
    columns: tuple[Named, ...]


class Keep(Command, frozen=True):
    patterns: tuple[Column, ...]


class Drop(Command, frozen=True):
    patterns: tuple[Column, ...]


class Rename(Command, frozen=True):
    """Pairs of (old, new)."""

    pairs: tuple[tuple[Column, Column], ...]


class Stats(Command, frozen=True):
    aggregations: tuple[Aggregation, ...]
    by: tuple[Named, ...]


class InlineStats(Command, frozen=True):
    aggregations: tuple[Aggregation, ...]
    by: tuple[Named, ...]


class Order(Node, frozen=True):
    expression: Expression
    descending: bool
    nulls_first: bool


class Sort(Command, frozen=True):
    orders: tuple[Order, ...]


class Limit(Command, frozen=True):
    rows: int


class MvExpand(Command, frozen=True):
    column: Column


class Dissect(Command, frozen=True):
    value: Expression
    pattern: str
    separator: str


class Grok(Command, frozen=True):
    value: Expression
    patterns: tuple[str, ...]


class Step(Node, frozen=True):
    """A step of a sequence: its filter and the expressions by which its events are grouped."""

    condition: Expression
    by: tuple[Expression, ...]


class Sequence(Command, frozen=True):
    """Events that match several steps one after the other; replaces all other commands.

    ``order``: the indexes of the steps in the required order of their events; a step may occur
    several times. ``until``: the index of the step that ends sequences begun before it.
    ``key_names``: the names of the grouping keys. ``width``: the last event must be less than this
    many seconds after the first; None if the rule determines it. ``ordered``: False if the steps
    may come in any order. ``reuse``: one event may match several steps.
    """

    steps: tuple[Step, ...]
    order: tuple[int, ...]
    until: int | None
    key_names: tuple[str, ...]
    width: int | None
    ordered: bool = True
    reuse: bool = False


class GappedSequence(Sequence, frozen=True):
    """A sequence with events that must be missing between others.

    ``missing``: pairs of the number of steps in ``order`` before the gap, and the index of the step
    that must not occur in it."""

    missing: tuple[tuple[int, int], ...] = ()


class Correlated(Node, frozen=True):
    """A step of several events; it is complete at the last of them.

    ``step``: its index, as in ``Sequence.order``. ``of``: the indexes of the steps of its events.
    ``kind``: ``count`` counts the events, ``values`` the distinct values of the column ``value``;
    ``in order`` and ``any order`` are sequences. ``keys``: additional columns by which its events
    are grouped. ``bounds``: comparisons of the count, as pairs of operator and limit. ``width``:
    the last event must be less than this many seconds after the first."""

    step: int
    of: tuple[int, ...]
    kind: str
    width: int
    keys: tuple[str, ...] = ()
    value: str | None = None
    bounds: tuple[tuple[str, int | float], ...] = ()


class Chain(Sequence, frozen=True):
    """A sequence with correlated steps, sorted so that none depends on a later one.

    Their indexes follow those of ``steps``; ``width`` applies only to the outermost sequence."""

    correlated: tuple[Correlated, ...] = ()


class Enrich(Command, frozen=True):
    """Adds columns of the rows of ``table`` whose key equals ``match``.

    ``match`` None means the column named like the key, ``fields`` None all columns."""

    table: str
    match: Column | None
    fields: tuple[Named, ...] | None


class LookupJoin(Command, frozen=True):
    """Joins the rows of ``table`` that are equal in ``pairs`` of a query and a table column.

    ``shared``: the columns of each pair have the same name."""

    table: str
    pairs: tuple[tuple[Column, Column], ...]
    shared: bool


class Tree(Node, frozen=True):
    commands: tuple[Command, ...]
