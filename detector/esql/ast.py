"""The syntax tree of all query languages, before any name is resolved."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.esql.errors import Span


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a query.

    Equality and the printed form ignore the span. The printed form (``repr``) is part of every
    rule's fingerprint, which is stored: a class or a field that is renamed keeps the name that it
    prints.
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
    """A part of a query that has a value."""


class Literal(Expression, frozen=True):
    """A constant; a tuple is a multivalue."""

    value: bool | int | float | str | tuple[Any, ...] | None


class Timespan(Expression, frozen=True):
    amount: int
    unit: str


class Column(Expression, frozen=True):
    name: str


class OptionalColumn(Column, frozen=True):
    """A column that is null where no field has its name (EQL's ``?name``)."""


class Call(Expression, frozen=True):
    """``name(arguments)``; ``on_rows`` is ``count(*)``."""

    name: str
    arguments: tuple[Expression, ...]
    on_rows: bool = False


class Not(Expression, frozen=True):
    operand: Expression


class Logic(Expression, frozen=True):
    """All of ``operands`` (``and``), or one of them (``or``)."""

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
    """``value like patterns``, or ``rlike`` where ``regular``."""

    value: Expression
    patterns: tuple[str, ...]
    regular: bool


class InsensitiveLike(Expression, frozen=True):
    """As ``Like``, whatever the letter case is."""

    value: Expression
    patterns: tuple[str, ...]
    regular: bool


class AnyValue(Expression, frozen=True):
    """EQL's condition on fields: true if it is for some value of each field, else false.

    A field that stands in it several times is any of its values each time; one without a value is
    null."""

    condition: Expression


class IsNull(Expression, frozen=True):
    operand: Expression


class FieldMatch(Expression, frozen=True):
    """KQL's condition on a field.

    True if one of the field's values matches, else false, also without a value. ``operator``:
    ``:`` equal, ``*`` like ``value`` as a pattern, ``regexp`` like it as Lucene's expression,
    ``exists``, or one of ``< <= > >=``.
    """

    field: Column
    operator: str
    value: str

    def __repr__(self) -> str:
        """The printed form, under the name that fingerprints know."""
        return f"Holds(field={self.field!r}, operator={self.operator!r}, value={self.value!r})"


class RangeMatch(Expression, frozen=True):
    """True if one of the field's values is within all ``bounds``: pairs of operator and value."""

    field: Column
    bounds: tuple[tuple[str, str], ...]


class ValueMatch(Expression, frozen=True):
    """Sigma's condition on a field.

    True if one of the field's values passes for one of ``values``, else false, also without a
    value. ``operator``: ``equal``, ``contains``, ``startswith``, ``endswith``, ``like`` (``*`` and
    ``?``; ``\\`` takes what follows as it is), ``regex``, ``cidr``, one of ``< <= > >=``, or
    ``null``, which is true without a value. Case counts only where ``cased``."""

    field: Column
    operator: str
    values: tuple[str, ...] = ()
    cased: bool = False


class SameText(Expression, frozen=True):
    """Sigma's comparison of two fields: a value of ``left`` passes for a value of ``right``.

    ``operator``: ``equal``, ``contains``, ``startswith`` or ``endswith``."""

    left: Column
    right: Column
    operator: str
    cased: bool = False


class Matching(Expression, frozen=True):
    """The names of those conditions that are true: a multivalue, null without one."""

    names: tuple[str, ...]
    conditions: tuple[Expression, ...]


class Cast(Expression, frozen=True):
    operand: Expression
    type: str


class Named(Node, frozen=True):
    """An expression with a name, by default its own text."""

    name: str
    expression: Expression


class Aggregation(Node, frozen=True):
    """A column that STATS computes, over the rows where ``condition`` is true."""

    named: Named
    condition: Expression | None


class Command(Node, frozen=True):
    """A step of a query, between two pipes."""


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
    """A filter of a sequence, and the expressions that its events are grouped by."""

    condition: Expression
    by: tuple[Expression, ...]


class Sequence(Command, frozen=True):
    """Events of several steps that come one after the other, in place of all other commands.

    ``order``: the indexes of the steps, as their events must follow each other; a step may stand
    several times. ``until``: the index of the step that ends what was begun before it.
    ``key_names``: the names of what the steps are grouped by. ``width``: the last event is less
    than so many seconds after the first; None where the rule must say. ``ordered``: False where the
    steps may come in any order. ``reuse``: one event may stand for several steps.
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

    ``missing``: how many of ``order`` come before, and the index of the step that must not."""

    missing: tuple[tuple[int, int], ...] = ()


class Correlated(Node, frozen=True):
    """A step that events make together: it is complete at the last of them.

    ``step``: its index, as in ``Sequence.order``. ``of``: the indexes of the steps of its events.
    ``kind``: ``count`` of the events, ``values``, distinct ones of the column ``value``, or a
    sequence ``in order`` or in ``any order``. ``keys``: columns that its events agree in too.
    ``bounds``: comparisons of the number, as operator and limit. ``width``: the last event is less
    than so many seconds after the first."""

    step: int
    of: tuple[int, ...]
    kind: str
    width: int
    keys: tuple[str, ...] = ()
    value: str | None = None
    bounds: tuple[tuple[str, int | float], ...] = ()


class Chain(Sequence, frozen=True):
    """A sequence of which some steps are correlated, in an order in which none needs a later one.

    The indexes of these follow those of ``steps``; ``width`` is that of the sequence alone."""

    correlated: tuple[Correlated, ...] = ()


class Enrich(Command, frozen=True):
    """Columns of the rows of ``table`` whose key is ``match``; ``fields`` None is all of them."""

    table: str
    match: Column | None
    fields: tuple[Named, ...] | None


class LookupJoin(Command, frozen=True):
    """The rows of ``table`` that agree in ``pairs``: a column here, and one there.

    ``shared``: both have one name."""

    table: str
    pairs: tuple[tuple[Column, Column], ...]
    shared: bool


class Tree(Node, frozen=True):
    commands: tuple[Command, ...]
