"""Parse and check function signatures such as ``"mv_concat(keyword[], keyword) -> keyword"``.

A parameter is a type, ``any``, ``number``, ``span`` or ``same`` (all ``same`` arguments must have a
common type; numbers are widened). Marks may follow it:

- ``[]``: the function receives the list of the argument's values
- ``{}``: likewise, with null as the empty list
- ``*``: the function is applied to each value of a multivalue
- ``?``: the argument may be omitted
- ``...``: the argument may be repeated

An argument without ``[]``, ``{}`` or ``*`` must be a single value: a multivalue makes the result
null. So does null, unless the mark is ``{}``. The result is a type, ``same``, ``first`` (the type
of the first argument) or ``wide`` (double for doubles, otherwise long). A mark ``[]`` means that it
can be a multivalue, ``{}`` that it can be one if the first argument can.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from detector.ecs.values import NUMBERS, SPANS, Type
from detector.esql.errors import EsqlError, Span


class Parameter(msgspec.Struct, frozen=True):
    type: str
    mark: str = ""  # "", "[]", "{}" or "*"
    optional: bool = False
    repeated: bool = False

    def accepts(self, type: Type) -> bool:
        return (
            type == "null"
            or (self.type in ("any", "same") and type not in SPANS)
            or self.type == type
            or (self.type == "number" and type in NUMBERS)
            or (self.type == "span" and type in SPANS)
            or (self.type == "double" and type in NUMBERS)
            or (self.type == "long" and type == "integer")
        )


class Signature(msgspec.Struct, frozen=True):
    name: str
    parameters: tuple[Parameter, ...]
    result: str
    many: bool
    many_as_first: bool = False

    @classmethod
    def parse(cls, text: str) -> Signature:
        match = re.fullmatch(r"(\w+)\((.*)\) -> (\w+)(\[\]|\{\})?", text)
        assert match, text
        name, inner, result, mark = match.groups()
        parts = [part for part in inner.split(",") if part]
        return cls(name, tuple(map(_parse_parameter, parts)), result, mark == "[]", mark == "{}")

    def parameter(self, index: int) -> Parameter:
        """Return the parameter of the argument at an index; the last one may be repeated."""
        return self.parameters[min(index, len(self.parameters) - 1)]

    def check(self, types: Sequence[Type], spans: Sequence[Span], span: Span) -> Type:
        """Check the types of the arguments and return that of the result. Raises EsqlError.

        ``spans`` are those of the arguments, ``span`` is that of the call."""
        self._check_count(len(types), span)
        same: Type = "null"
        for index, type in enumerate(types):
            parameter = self.parameter(index)
            if not parameter.accepts(type):
                raise EsqlError(
                    spans[index],
                    f"argument {index + 1} of {self.name} must be "
                    f"{_with_article(parameter.type)}, not {type}",
                )
            if parameter.type == "same":
                joined = common_type(same, type)
                if joined is None:
                    raise EsqlError(
                        spans[index],
                        f"the arguments of {self.name} have different types: {same} and {type}",
                    )
                same = joined
        if self.result == "first":
            return types[0]
        if self.result == "wide":
            return "double" if types[0] == "double" else "long"
        return same if self.result == "same" else self.result  # type: ignore[return-value]

    def _check_count(self, count: int, span: Span) -> None:
        least = sum(1 for parameter in self.parameters if not parameter.optional)
        most = len(self.parameters)
        unlimited = any(parameter.repeated for parameter in self.parameters)
        if count >= least and (unlimited or count <= most):
            return
        if unlimited:
            expected = f"{least} or more"
        elif least == most:
            expected = f"{least}"
        else:
            expected = f"{least} to {most}"
        plural = "" if expected == "1" else "s"
        raise EsqlError(span, f"{self.name} takes {expected} argument{plural}, not {count}")


def _parse_parameter(text: str) -> Parameter:
    match = re.fullmatch(r"(\w+)(\[\]|\{\}|\*)?(\?)?(\.\.\.)?", text.strip())
    assert match, text
    return Parameter(match[1], match[2] or "", bool(match[3]), bool(match[4]))


def _with_article(type: str) -> str:
    nouns = {
        "span": "a timespan",
        "any": "a value",
        "same": "a value",
        "number": "a number",
        "integer": "an integer",
        "ip": "an ip",
    }
    return nouns.get(type, f"a {type}")


def common_type(left: Type, right: Type) -> Type | None:
    """Return the type that can hold values of both types, or None."""
    if left == right or right == "null":
        return left
    if left == "null":
        return right
    if left in NUMBERS and right in NUMBERS:
        return max(left, right, key=NUMBERS.index)
    return None
