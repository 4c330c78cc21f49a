"""Compile a sequence: the steps that an event may match, and the series to which it belongs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import msgspec

from detector.ecs.values import many
from detector.esql import ast
from detector.esql.comparisons import COMPARISONS
from detector.esql.errors import EsqlError
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import ColumnScope, CompiledExpr, Getter, RowSlots
from detector.text.capped import capped_value

_MOST_STEPS = 62
"""The most distinct steps: the steps of an event are bits of a 64-bit integer."""


class CompiledStep(msgspec.Struct, frozen=True):
    """A step's condition and the values by which its events are grouped."""

    test: Getter
    keys: tuple[CompiledExpr, ...]


class CorrelatedStep(msgspec.Struct, frozen=True):
    """A step of several events; see ``ast.Correlated``.

    ``keys`` and ``value`` are indexes of a hit's inputs. ``passes`` tells whether a count is within
    the bounds."""

    step: int
    of: tuple[int, ...]
    kind: str
    width: int
    keys: tuple[int, ...]
    value: int | None
    passes: Callable[[int], bool]


class CompiledSequence(msgspec.Struct, frozen=True):
    """The steps of a sequence and their required order; see ``ast.Sequence``.

    ``width``: in a chain, the seconds of the outermost sequence. ``missing``: see
    ``ast.GappedSequence``."""

    steps: tuple[CompiledStep, ...]
    order: tuple[int, ...]
    until: int | None
    ordered: bool
    reuse: bool
    correlated: tuple[CorrelatedStep, ...] = ()
    width: int | None = None
    missing: tuple[tuple[int, int], ...] = ()

    @property
    def ending(self) -> int:
        """The steps, as bits, that end sequences and are not part of one."""
        ending = {step for _, step in self.missing}
        if self.until is not None:
            ending.add(self.until)
        return sum(1 << step for step in ending.difference(self.order))

    @property
    def min_hits(self) -> int:
        """The minimum number of events in a sequence."""
        if self.reuse:
            return 1
        return len(self.order)

    def steps_by_key(self, row: RowSlots) -> dict[tuple[Any, ...], int]:
        """Return the steps that an event matches, for each series to which it belongs.

        The steps are bits: 1 << index. A multivalued key puts it in the series of each value."""
        bits: dict[tuple[Any, ...], int] = defaultdict(int)
        for index, step in enumerate(self.steps):
            if step.test(row) is True:
                values = [many(capped_value(key.read(row))) or [None] for key in step.keys]
                for key in product(*values):
                    bits[key] |= 1 << index
        return bits


def compile_sequence(node: ast.Sequence, scope: ColumnScope) -> CompiledSequence:
    """Compile a sequence. Raises EsqlError for too many steps or keys that do not match."""
    if len(node.steps) > _MOST_STEPS:
        raise EsqlError(
            node.span, f"a sequence of over {_MOST_STEPS} different steps is not supported"
        )
    compiler = Compiler(scope)
    steps = tuple(
        CompiledStep(
            compiler.condition(step.condition).read,
            tuple(compiler.compile(expression) for expression in step.by),
        )
        for step in node.steps
    )
    for step, compiled in zip(node.steps, steps, strict=True):
        _check_keys(step, compiled, steps[0])
    missing = node.missing if isinstance(node, ast.GappedSequence) else ()
    return CompiledSequence(
        steps, node.order, node.until, node.ordered, node.reuse, missing=missing
    )


def with_correlated(
    sequence: CompiledSequence, node: ast.Sequence, columns: Sequence[str]
) -> CompiledSequence:
    """Add the correlated steps of a chain; ``columns`` are the names of a hit's columns."""
    if not isinstance(node, ast.Chain):
        return sequence
    index_of = {name: index for index, name in enumerate(columns, start=1)}  # after the steps
    correlated = tuple(
        CorrelatedStep(
            each.step,
            each.of,
            each.kind,
            each.width,
            tuple(index_of[key] for key in each.keys),
            None if each.value is None else index_of[each.value],
            _bounds_test(each.bounds),
        )
        for each in node.correlated
    )
    return msgspec.structs.replace(sequence, correlated=correlated, width=node.width)


def _bounds_test(bounds: Sequence[tuple[str, int | float]]) -> Callable[[int], bool]:
    tests = [(COMPARISONS[operator], limit) for operator, limit in bounds]
    return lambda number: all(test(number, limit) for test, limit in tests)


def _check_keys(node: ast.Step, step: CompiledStep, first: CompiledStep) -> None:
    """Raise EsqlError for keys that can never equal those of the first step."""
    if len(step.keys) != len(first.keys):
        raise EsqlError(node.span, "each step must be grouped by as many fields as the first")
    for expression, key, other in zip(node.by, step.keys, first.keys, strict=True):
        if key.type != other.type:
            raise EsqlError(
                expression.span,
                f"{key.type} never equals {other.type}, which the first step is grouped by",
            )
