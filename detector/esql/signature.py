"""How a function is declared: ``"mv_concat(keyword[], keyword) -> keyword"`` says what it takes and gives.

A parameter is a type, ``any``, ``number``, ``span`` or ``same`` (all ``same`` arguments have one type, numbers widen).
After it, ``?`` may be left out, ``...`` may come again, ``[]`` is handed over as the list of its values, ``{}`` too and
then null is the empty list, ``*`` has the function applied to each value of a multivalue. An argument without a mark
must be single: several values make the result null. So does null, unless it is the empty list.
The result is a type, ``same``, ``first`` (that of the first argument) or ``wide`` (long, of doubles double); ``[]``
says that it can be a multivalue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from detector.ecs.values import NUMBERS, SPANS, Type
from detector.esql.errors import EsqlError, Span


@dataclass(frozen=True, slots=True)
class Parameter:
    type: str
    mark: str = ""  # "", "[]", "{}" or "*"
    optional: bool = False
    again: bool = False

    def accepts(self, type: Type) -> bool:
        return (
            type == "null"
            or self.type in ("any", "same")
            or self.type == type
            or (self.type == "number" and type in NUMBERS)
            or (self.type == "span" and type in SPANS)
            or (self.type == "double" and type in NUMBERS)
            or (self.type == "long" and type == "integer")
        )


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    parameters: tuple[Parameter, ...]
    result: str
    many: bool

    @classmethod
    def of(cls, text: str) -> Signature:
        found = re.fullmatch(r"(\w+)\((.*)\) -> (\w+)(\[\])?", text)
        assert found, text
        name, inner, result, many = found.groups()
        parts = [
            re.fullmatch(r"(\w+)(\[\]|\{\}|\*)?(\?)?(\.\.\.)?", part.strip())
            for part in inner.split(",")
            if part
        ]
        return cls(
            name,
            tuple(Parameter(p[1], p[2] or "", bool(p[3]), bool(p[4])) for p in parts if p),
            result,
            bool(many),
        )

    def parameter(self, place: int) -> Parameter:
        return self.parameters[min(place, len(self.parameters) - 1)]

    def check(self, types: Sequence[Type], places: Sequence[Span], span: Span) -> Type:
        """The result's type. Raises EsqlError where the arguments do not fit."""
        least = sum(1 for p in self.parameters if not p.optional)
        most = None if any(p.again for p in self.parameters) else len(self.parameters)
        if len(types) < least or (most is not None and len(types) > most):
            wanted = (
                f"{least}"
                if least == most
                else f"{least} to {most}"
                if most
                else f"{least} or more"
            )
            raise EsqlError(
                span,
                f"{self.name} takes {wanted} argument{'s' * (wanted != '1')}, not {len(types)}",
            )
        same: Type = "null"
        for place, type in enumerate(types):
            parameter = self.parameter(place)
            if not parameter.accepts(type):
                raise EsqlError(
                    places[place],
                    f"argument {place + 1} of {self.name} must be {_article(parameter.type)}, not {type}",
                )
            if parameter.type == "same":
                if (joined := common(same, type)) is None:
                    raise EsqlError(
                        places[place],
                        f"the arguments of {self.name} have different types: {same} and {type}",
                    )
                same = joined
        if self.result == "first":
            return types[0]
        if self.result == "wide":
            return "double" if types[0] == "double" else "long"
        return same if self.result == "same" else self.result  # type: ignore[return-value]


def _article(type: str) -> str:
    return {"span": "a timespan", "number": "a number", "integer": "an integer", "ip": "an ip"}.get(
        type, f"a {type}"
    )


def common(left: Type, right: Type) -> Type | None:
    """The type that holds both; None where there is none."""
    if left == right or right == "null":
        return left
    if left == "null":
        return right
    if left in NUMBERS and right in NUMBERS:
        return max(left, right, key=NUMBERS.index)
    return None
