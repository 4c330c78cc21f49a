"""Tell the inputs that alike records have in common from those that are each record's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from detector.esql.expressions.scope import CompiledExpr, FieldFact, constant

_TIMES = ("@timestamp", "event.ingested", "event.created")
"""The fields that are the event's time."""
_REGION = "cloud.region"
_OWN = {"event.id": "event_id", "aws.cloudtrail.request_id": "request_id"}
"""The fields that no two records share, with their attributes of a record."""
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

    @classmethod
    def of(cls, inputs: Sequence[CompiledExpr]) -> SharedInputs:
        """Tell the inputs of a query apart."""
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
        return cls(tuple(exprs), tuple(times), tuple(own), tuple(regions))


NO_INPUTS = SharedInputs((), (), (), ())
