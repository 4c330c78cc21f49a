"""Separate the inputs that similar records have in common from those unique to each record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from detector.cloudtrail.record import Record
from detector.ecs.fields import FieldTable
from detector.ecs.getters import FieldGetter
from detector.esql.expressions.scope import CompiledExpr, ConstantFact, FieldFact, constant

_TIMES = ("@timestamp", "event.ingested", "event.created")
"""The fields that have the event's time."""
_REGION = "cloud.region"
_OWN = {"event.id": "event_id", "aws.cloudtrail.request_id": "request_id"}
"""The fields that are unique to each record, with the record attribute of each."""
OWN_ATTRIBUTES = tuple(_OWN.values())
"""The attributes of the unique fields; their values are texts."""
_LEFT_OUT = constant(None, "null")


class SharedInputs(NamedTuple):
    """The inputs of a query; in ``exprs``, those in which similar records differ are null.

    ``times``: the indexes of inputs that are the event's time. ``own``: the indexes of inputs that
    are unique to a record, with the name of its attribute. ``regions``: the indexes of inputs that
    are the region."""

    exprs: tuple[CompiledExpr, ...]
    times: tuple[int, ...]
    own: tuple[tuple[int, str], ...]
    regions: tuple[int, ...]
    fields: tuple[FieldGetter, ...] = ()
    """``exprs`` as getters on the record; empty if an input is more than a field."""

    @classmethod
    def of(cls, inputs: Sequence[CompiledExpr], table: FieldTable) -> SharedInputs:
        """Classify the inputs of a query over the fields of ``table``."""
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
    """Return an input as a getter on the record; None if it is more than a field."""
    match expr.fact:
        case FieldFact(name):
            return table[name].read
        case ConstantFact(value):
            return lambda _: value
    return _nothing if expr is _LEFT_OUT else None


def _nothing(_: Record) -> Any:
    return None


NO_INPUTS = SharedInputs((), (), (), ())
