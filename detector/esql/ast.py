"""The syntax tree of all query languages, before any name is resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detector.esql.errors import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of a query.

    Equality and the printed form ignore the span. The printed form (``repr``) is part of every
    rule's fingerprint, which is stored: a class or a field that is renamed keeps the name that it
    prints.
    """

    span: Span = field(repr=False, compare=False)


class Expression(Node):
    """A part of a query that has a value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A constant; a tuple is a multivalue."""

    value: bool | int | float | str | tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Timespan(Expression):
    amount: int
    unit: str


@dataclass(frozen=True, slots=True)
class Column(Expression):
    name: str


@dataclass(frozen=True, slots=True)
class OptionalColumn(Column):
    """A column that is null where no field has its name (EQL's ``?name``)."""


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """``name(arguments)``; ``on_rows`` is ``count(*)``."""

    name: str
    arguments: tuple[Expression, ...]
    on_rows: bool = False


@dataclass(frozen=True, slots=True)
class Not(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True)
class Logic(Expression):
    """All of ``operands`` (``and``), or one of them (``or``)."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Compare(Expression):
    operator: str  # == != < <= > >=
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic(Expression):
    operator: str  # + - * / %
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negate(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True)
class In(Expression):
    value: Expression
    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like(Expression):
    """``value like patterns``, or ``rlike`` where ``regular``."""

    value: Expression
    patterns: tuple[str, ...]
    regular: bool


@dataclass(frozen=True, slots=True)
class InsensitiveLike(Expression):
    """As ``Like``, whatever the letter case is."""

    value: Expression
    patterns: tuple[str, ...]
    regular: bool


@dataclass(frozen=True, slots=True)
class AnyValue(Expression):
    """EQL's condition on fields: true if it is for some value of each field, else false.

    A field that stands in it several times is any of its values each time; one without a value is
    null."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True, repr=False)
class FieldMatch(Expression):
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


@dataclass(frozen=True, slots=True)
class RangeMatch(Expression):
    """True if one of the field's values is within all ``bounds``: pairs of operator and value."""

    field: Column
    bounds: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ValueMatch(Expression):
    """Sigma's condition on a field.

    True if one of the field's values passes for one of ``values``, else false, also without a
    value. ``operator``: ``equal``, ``contains``, ``startswith``, ``endswith``, ``like`` (``*`` and
    ``?``; ``\\`` takes what follows as it is), ``regex``, ``cidr``, one of ``< <= > >=``, or
    ``null``, which is true without a value. Case counts only where ``cased``."""

    field: Column
    operator: str
    values: tuple[str, ...] = ()
    cased: bool = False


@dataclass(frozen=True, slots=True)
class SameText(Expression):
    """Sigma's comparison of two fields: a value of ``left`` passes for a value of ``right``.

    ``operator``: ``equal``, ``contains``, ``startswith`` or ``endswith``."""

    left: Column
    right: Column
    operator: str
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Matching(Expression):
    """The names of those conditions that are true: a multivalue, null without one."""

    names: tuple[str, ...]
    conditions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    operand: Expression
    type: str


@dataclass(frozen=True, slots=True)
class Named(Node):
    """An expression with a name, by default its own text."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Aggregation(Node):
    """A column that STATS computes, over the rows where ``condition`` is true."""

    named: Named
    condition: Expression | None


class Command(Node):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class From(Command):
    patterns: tuple[str, ...]
    metadata: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row(Command):
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Where(Command):
    condition: Expression


@dataclass(frozen=True, slots=True)
class Eval(Command):
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Keep(Command):
    patterns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Drop(Command):
    patterns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """Pairs of (old, new)."""

    pairs: tuple[tuple[Column, Column], ...]


@dataclass(frozen=True, slots=True)
class Stats(Command):
    aggregations: tuple[Aggregation, ...]
    by: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class InlineStats(Command):
    aggregations: tuple[Aggregation, ...]
    by: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Order(Node):
    expression: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Sort(Command):
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Limit(Command):
    rows: int


@dataclass(frozen=True, slots=True)
class MvExpand(Command):
    column: Column


@dataclass(frozen=True, slots=True)
class Dissect(Command):
    value: Expression
    pattern: str
    separator: str


@dataclass(frozen=True, slots=True)
class Grok(Command):
    value: Expression
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step(Node):
    """A filter of a sequence, and the expressions that its events are grouped by."""

    condition: Expression
    by: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Sequence(Command):
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


@dataclass(frozen=True, slots=True)
class GappedSequence(Sequence):
    """A sequence with events that must be missing between others.

    ``missing``: how many of ``order`` come before, and the index of the step that must not."""

    missing: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Correlated(Node):
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


@dataclass(frozen=True, slots=True)
class Chain(Sequence):
    """A sequence of which some steps are correlated, in an order in which none needs a later one.

    The indexes of these follow those of ``steps``; ``width`` is that of the sequence alone."""

    correlated: tuple[Correlated, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrich(Command):
    """Columns of the rows of ``table`` whose key is ``match``; ``fields`` None is all of them."""

    table: str
    match: Column | None
    fields: tuple[Named, ...] | None


@dataclass(frozen=True, slots=True)
class LookupJoin(Command):
    """The rows of ``table`` that agree in ``pairs``: a column here, and one there.

    ``shared``: both have one name."""

    table: str
    pairs: tuple[tuple[Column, Column], ...]
    shared: bool


@dataclass(frozen=True, slots=True)
class Tree(Node):
    commands: tuple[Command, ...]
