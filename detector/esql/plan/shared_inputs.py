"""Tell the inputs that alike records have in common from those that are each record's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from detector.cloudtrail.record import Record
from detector.ecs.fields import FieldTable
from detector.ecs.getters import FieldGetter
from detector.esql.expressions.scope import CompiledExpr, ConstantFact, FieldFact, constant

_TIMES = ("@timestamp", "event.ingested", "event.created")
"""The fields that are the event's time."""
_REGION = "cloud.region"
_OWN = {"event.id": "event_id", "aws.cloudtrail.request_id": "request_id"}
"""The fields that no two records share, with their attributes of a record."""
OWN_ATTRIBUTES = tuple(_OWN.values())
"""Their attributes, which are texts."""
_LEFT_OUT = constant(None, "null")


class SharedInputs(NamedTuple):
    """The inputs of a query; those in which alike records differ are left out.

    ``times``: the indexes of those that are the event's time. ``own``: the indexes of those that
    are an attribute of the record, with its name. ``regions``: the indexes of those that are the
    region."""

    exprs: tuple[CompiledExpr, ...]
    times: tuple[int, ...]
    own: tuple[tuple[int, str], ...]
    regions: tuple[int, ...]
    fields: tuple[FieldGetter, ...] = ()
    """The same as ``exprs`` of the record by itself; none where an input is more than a field."""

    @classmethod
    def of(cls, inputs: Sequence[CompiledExpr], table: FieldTable) -> SharedInputs:
        """Tell the inputs of a query apart, whose fields ``table`` has."""
        exprs: list[CompiledExpr] = []
        times = []
        own = []
        regions = []
        for index, expr in enumerate(inputs):
            name = expr.fact.name if isinstance(expr.fact, FieldFact) else ""
            if name in _TIMES:
                times.append(index)
            elif name == _REGION:
                regions.append(index)
            elif name in _OWN:
                own.append((index, _OWN[name]))
            else:
                exprs.append(expr)
                continue
            exprs.append(_LEFT_OUT)
        getters = [_getter(expr, table) for expr in exprs]
        fields = tuple([getter for getter in getters if getter is not None])
        if len(fields) < len(exprs):
            fields = ()
        return cls(tuple(exprs), tuple(times), tuple(own), tuple(regions), fields)


def _getter(expr: CompiledExpr, table: FieldTable) -> FieldGetter | None:
    """Return what an input is of a record; None where it is more than a field."""
    match expr.fact:
        case FieldFact(name):
            return table[name].read
        case ConstantFact(value):
            return lambda _: value
    return _nothing if expr is _LEFT_OUT else None


def _nothing(_: Record) -> Any:
    return None


NO_INPUTS = SharedInputs((), (), (), ())
