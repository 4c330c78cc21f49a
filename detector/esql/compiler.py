"""Expressions -> closures. Types are settled here, once; a row is then only read.

Three-valued logic throughout: an operator that meets null, or a multivalue where it wants one value, gives null.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from detector.ecs import values
from detector.ecs.values import NUMBERS, SPANS, TYPE_NAMES, Type
from detector.esql import ast
from detector.esql.aggregates import AGGREGATES
from detector.esql.constants import literal, taken_as, timespan
from detector.esql.errors import EsqlError
from detector.esql.functions import FUNCTIONS, UNSUPPORTED
from detector.esql.kql_match import holds
from detector.esql.like import matcher
from detector.esql.null_propagation import applied, lifted, one
from detector.esql.scope import CompiledExpr, Scope, constant
from detector.esql.signature import common
from detector.esql.special_functions import SPECIAL_FUNCTIONS
from detector.text.suggest import nearest


class Compiler:
    """Compiles expressions over the columns of a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def compile(self, node: ast.Expression) -> CompiledExpr:
        """Raises EsqlError for a name that means nothing, and where types do not fit."""
        match node:
            case ast.Literal(value):
                return literal(value)
            case ast.Timespan():
                return timespan(node)
            case ast.Column(name):
                return self.scope.find(name, node.span)
            case ast.Not(operand):
                test = one(self.condition(operand))
                if self.scope.layout.options.null_negation:
                    return CompiledExpr(lambda row: test(row) is not True, "boolean")
                return CompiledExpr(
                    lambda row: None if (value := test(row)) is None else not value, "boolean"
                )
            case ast.Logic():
                return self._logic(node)
            case ast.Compare():
                return self._compare(node)
            case ast.In():
                return self._among(node)
            case ast.Like():
                return self._like(node)
            case ast.FieldMatch():
                return holds(node, self.scope)
            case ast.IsNull(operand):
                read = self.compile(operand).read
                return CompiledExpr(lambda row: read(row) is None, "boolean")
            case ast.Arithmetic():
                return self._arithmetic(node)
            case ast.Negate(operand):
                return self._negate(operand)
            case ast.Cast(operand, type):
                return self._cast(node, operand, type)
            case ast.Call():
                return self.call(node)
        raise AssertionError(node)

    def condition(self, node: ast.Expression) -> CompiledExpr:
        """An expression that must be a condition."""
        code = self.compile(node)
        if code.type not in ("boolean", "null"):
            raise EsqlError(node.span, f"a condition must be true or false, not {code.type}")
        return code

    def call(self, node: ast.Call) -> CompiledExpr:
        if special := SPECIAL_FUNCTIONS.get(node.name):
            return special(self, node)
        if not (found := FUNCTIONS.get(node.name)):
            if node.name in AGGREGATES:
                raise EsqlError(
                    node.span, f"{node.name} is an aggregate: it can stand in stats only"
                )
            if node.name in UNSUPPORTED:
                raise EsqlError(node.span, f"the function {node.name.upper()} is not supported")
            known = (*FUNCTIONS, *SPECIAL_FUNCTIONS, *AGGREGATES)
            raise EsqlError(node.span, f"no function {node.name}{nearest(node.name, known)}")
        if node.on_rows:
            raise EsqlError(node.span, f"{node.name} does not take *")
        codes = [self.compile(argument) for argument in node.arguments]
        if found.signature.parameters:
            codes = [
                taken_as(code, found.signature.parameter(place).type, node.arguments[place].span)
                for place, code in enumerate(codes)
            ]
        type = found.signature.check(
            [code.type for code in codes], [a.span for a in node.arguments], node.span
        )
        return applied(found, codes, type)

    def _logic(self, node: ast.Logic) -> CompiledExpr:
        """The first operand that settles it ends it: false an ``and``, true an ``or``. Else null
        wins."""
        tests = [one(self.condition(operand)) for operand in node.operands]
        settles = node.operator == "or"

        def logic(row: Any) -> bool | None:
            result: bool | None = not settles
            for test in tests:
                value: bool | None = test(row)
                if value is settles:
                    return value
                if value is None:
                    result = None
            return result

        return CompiledExpr(logic, "boolean")

    def _compare(self, node: ast.Compare) -> CompiledExpr:
        codes = self.compile(node.left), self.compile(node.right)
        left = taken_as(codes[0], codes[1].type, node.left.span)
        right = taken_as(codes[1], codes[0].type, node.right.span)
        if (type := common(left.type, right.type)) is None:
            raise EsqlError(node.left.span, f"cannot compare {left.type} with {right.type}")
        if type in SPANS or (type == "boolean" and node.operator not in ("==", "!=")):
            raise EsqlError(node.span, f"{node.operator} does not compare {type} values")
        test = _COMPARISONS[node.operator]
        if type == "ip" and node.operator not in ("==", "!="):
            plain = test
            test = lambda a, b: plain(values.ip_order(str(a)), values.ip_order(str(b)))  # noqa: E731
        compared = lifted(test, [one(left), one(right)])
        if node.operator == "!=" and self.scope.layout.options.null_negation:
            return CompiledExpr(lambda row: compared(row) is not False, "boolean")
        return CompiledExpr(compared, "boolean")

    def _among(self, node: ast.In) -> CompiledExpr:
        value = self.compile(node.value)
        codes = []
        for option in node.options:
            code = taken_as(self.compile(option), value.type, option.span)
            value = taken_as(value, code.type, node.value.span)
            if common(value.type, code.type) is None:
                raise EsqlError(option.span, f"cannot look for {value.type} in {code.type}")
            codes.append(code)
        read, options = one(value), [one(code) for code in codes]
        if all(code.constant for code in codes):
            known = {option([]) for option in options}
            otherwise = None if None in known else False
            known.discard(None)
            return CompiledExpr(
                lambda row: None if (v := read(row)) is None else True if v in known else otherwise,
                "boolean",
            )

        def among(row: Any) -> bool | None:
            if (wanted := read(row)) is None:
                return None
            found: bool | None = False
            for option in options:
                if (each := option(row)) is None:
                    found = None
                elif each == wanted:
                    return True
            return found

        return CompiledExpr(among, "boolean")

    def _like(self, node: ast.Like) -> CompiledExpr:
        value = self.compile(node.value)
        if value.type not in ("keyword", "null"):
            raise EsqlError(
                node.value.span,
                f"{'rlike' if node.regular else 'like'} looks at text, not {value.type}",
            )
        return CompiledExpr(
            lifted(matcher(node.patterns, node.regular, node.span), [one(value)]), "boolean"
        )

    def _arithmetic(self, node: ast.Arithmetic) -> CompiledExpr:
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator in "+-":
            left = taken_as(left, "date", node.left.span) if right.type in SPANS else left
            right = taken_as(right, "date", node.right.span) if left.type in SPANS else right
            if moved := _moved(left, right, node.operator):
                return moved
        if (type := common(left.type, right.type)) not in (*NUMBERS, "null"):
            raise EsqlError(
                node.span, f"{node.operator} does not work on {left.type} and {right.type}"
            )
        kind: Type = type or "null"
        compute = (
            _WHOLE[node.operator] if kind in ("integer", "long") else _ARITHMETIC[node.operator]
        )
        bound: Type = "double" if kind == "null" else kind
        return CompiledExpr(
            lifted(lambda a, b: values.in_range(compute(a, b), bound), [one(left), one(right)]),
            kind,
            constant=left.constant and right.constant,
        )

    def _negate(self, operand: ast.Expression) -> CompiledExpr:
        code = self.compile(operand)
        if code.type in SPANS:
            return constant(code.value.negative(), code.type)
        if code.type not in (*NUMBERS, "null"):
            raise EsqlError(operand.span, f"- does not work on {code.type}")
        return CompiledExpr(
            lifted(lambda value: values.in_range(-value, code.type), [one(code)]),
            code.type,
            constant=code.constant,
        )

    def _cast(self, node: ast.Cast, operand: ast.Expression, type: str) -> CompiledExpr:
        if type not in TYPE_NAMES:
            raise EsqlError(node.span, f"no type {type}{nearest(type, TYPE_NAMES)}")
        return self.call(ast.Call(_CONVERSIONS[TYPE_NAMES[type]], (operand,), span=node.span))


_CONVERSIONS: dict[Type, str] = {
    "boolean": "to_boolean",
    "keyword": "to_string",
    "integer": "to_integer",
    "long": "to_long",
    "double": "to_double",
    "date": "to_datetime",
    "ip": "to_ip",
    "date_period": "to_dateperiod",
    "time_duration": "to_timeduration",
}

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _truncated(a: int, b: int) -> int:
    """Whole numbers divide toward zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
}
_WHOLE: dict[str, Callable[[Any, Any], Any]] = {
    **_ARITHMETIC,
    "/": _truncated,
    "%": lambda a, b: a - b * _truncated(a, b),
}


def _moved(left: CompiledExpr, right: CompiledExpr, sign: str) -> CompiledExpr | None:
    """A date and a timespan; None where these are not."""
    times = 1 if sign == "+" else -1
    known = left.constant and right.constant
    if left.type in SPANS and right.type == "date" and sign == "+":
        left, right = right, left
    if left.type != "date" or right.type not in SPANS:
        return None
    return CompiledExpr(
        lifted(
            lambda date, span: values.in_calendar(span.after(date, times)), [one(left), one(right)]
        ),
        "date",
        constant=known,
    )
