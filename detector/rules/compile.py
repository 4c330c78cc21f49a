"""Expressions -> closures. Types are settled here, once; a row is then only read.

Three-valued logic throughout: an operator that meets null, or a multivalue where it wants one value, gives null.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from detector import values
from detector.rules import syntax
from detector.rules.aggregates import AGGREGATES
from detector.rules.errors import EsqlError, Span, nearest
from detector.rules.functions import FUNCTIONS, Function
from detector.rules.patterns import matcher
from detector.rules.scope import NOW, Code, OfField, OfWindow, Read, Scope, constant
from detector.rules.signature import common
from detector.rules.spans import DURATIONS, PERIODS, Timespan, truncate
from detector.values import NUMBERS, SPANS, TYPE_NAMES, Type

Compiled = Callable[[syntax.Expression], Code]


class Compiler:
    """Compiles expressions over the columns of a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def compile(self, node: syntax.Expression) -> Code:
        match node:
            case syntax.Literal(value):
                return literal(value)
            case syntax.Timespan():
                return timespan(node)
            case syntax.Column(name):
                return self.scope.find(name, node.at)
            case syntax.Not(operand):
                test = _single(self.condition(operand))
                return Code(lambda row: None if (v := test(row)) is None else not v, "boolean")
            case syntax.Logic():
                return self._logic(node)
            case syntax.Compare():
                return self._compare(node)
            case syntax.In():
                return self._among(node)
            case syntax.Like():
                return self._like(node)
            case syntax.IsNull(operand):
                read = self.compile(operand).read
                return Code(lambda row: read(row) is None, "boolean")
            case syntax.Arithmetic():
                return self._arithmetic(node)
            case syntax.Negate(operand):
                return self._negate(operand)
            case syntax.Cast(operand, type):
                return self._cast(node, operand, type)
            case syntax.Call():
                return self.call(node)
        raise AssertionError(node)

    def condition(self, node: syntax.Expression) -> Code:
        """An expression that must be a condition."""
        code = self.compile(node)
        if code.type not in ("boolean", "null"):
            raise EsqlError(node.at, f"a condition must be true or false, not {code.type}")
        return code

    # operators

    def _logic(self, node: syntax.Logic) -> Code:
        left, right = _single(self.condition(node.left)), _single(self.condition(node.right))
        if node.operator == "and":
            def conjunction(row: Any) -> Any:
                first = left(row)
                return False if first is False else values.both(first, right(row))
            return Code(conjunction, "boolean")

        def disjunction(row: Any) -> Any:
            first = left(row)
            return True if first is True else values.either(first, right(row))
        return Code(disjunction, "boolean")

    def _compare(self, node: syntax.Compare) -> Code:
        left, right = self._alike(node.left, node.right, "compare")
        if left.type == "boolean" and node.operator not in ("==", "!="):
            raise EsqlError(node.at, f"{node.operator} does not compare booleans")
        if left.type in SPANS:
            raise EsqlError(node.at, "timespans cannot be compared")
        test = _COMPARISONS[node.operator]
        if "ip" in (left.type, right.type) and node.operator not in ("==", "!="):
            plain = test
            test = lambda a, b: plain(values.ip_order(str(a)), values.ip_order(str(b)))  # noqa: E731
        return Code(_lifted(test, [_single(left), _single(right)]), "boolean")

    def _alike(self, left: syntax.Expression, right: syntax.Expression, verb: str) -> tuple[Code, Code]:
        """Both sides, a string constant taken for what the other side is."""
        codes = self.compile(left), self.compile(right)
        one = _taken_as(codes[0], codes[1].type, left.at)
        other = _taken_as(codes[1], codes[0].type, right.at)
        if common(one.type, other.type) is None:
            raise EsqlError(left.at, f"cannot {verb} {one.type} with {other.type}")
        return one, other

    def _among(self, node: syntax.In) -> Code:
        value = self.compile(node.value)
        pairs = []
        for option in node.options:
            code = _taken_as(self.compile(option), value.type, option.at)
            value = _taken_as(value, code.type, node.value.at)
            if common(value.type, code.type) is None:
                raise EsqlError(option.at, f"cannot look for {value.type} in {code.type}")
            pairs.append(code)
        read, options = _single(value), [_single(code) for code in pairs]
        if all(code.constant for code in pairs):
            known = {option([]) for option in options}
            otherwise = None if None in known else False
            known.discard(None)
            return Code(lambda row: None if (v := read(row)) is None else True if v in known else otherwise, "boolean")

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
        return Code(among, "boolean")

    def _like(self, node: syntax.Like) -> Code:
        value = self.compile(node.value)
        if value.type not in ("keyword", "null"):
            raise EsqlError(node.value.at, f"{'rlike' if node.regular else 'like'} looks at text, not {value.type}")
        test = matcher(node.patterns, node.regular, node.at)
        return Code(_lifted(test, [_single(value)]), "boolean")

    def _arithmetic(self, node: syntax.Arithmetic) -> Code:
        left, right = self.compile(node.left), self.compile(node.right)
        left, right = _dated(left, right, node.left.at), _dated(right, left, node.right.at)
        reads = [_single(left), _single(right)]
        if node.operator in "+-" and left.type == "date" and right.type in SPANS:
            sign = 1 if node.operator == "+" else -1
            return Code(_lifted(lambda date, span: span.after(date, sign), reads), "date",
                        constant=left.constant and right.constant)
        if node.operator == "+" and left.type in SPANS and right.type == "date":
            return Code(_lifted(lambda span, date: span.after(date, 1), reads), "date",
                        constant=left.constant and right.constant)
        if (type := common(left.type, right.type)) not in (*NUMBERS, "null"):
            raise EsqlError(node.at, f"{node.operator} does not work on {left.type} and {right.type}")
        compute = _ARITHMETIC[node.operator]
        if type != "double":
            compute = _WHOLE.get(node.operator, compute)
        kind: Type = type or "null"
        bounded = kind if kind != "null" else "double"
        return Code(_lifted(lambda a, b: values.in_range(compute(a, b), bounded), reads), kind,
                    constant=left.constant and right.constant)

    def _negate(self, operand: syntax.Expression) -> Code:
        code = self.compile(operand)
        if code.type in SPANS:
            return constant(code.value.negative(), code.type)
        if code.type not in (*NUMBERS, "null"):
            raise EsqlError(operand.at, f"- does not work on {code.type}")
        return Code(_lifted(lambda v: values.in_range(-v, code.type), [_single(code)]), code.type,
                    constant=code.constant)

    def _cast(self, node: syntax.Cast, operand: syntax.Expression, type: str) -> Code:
        if type not in TYPE_NAMES:
            raise EsqlError(node.at, f"no type {type}{nearest(type, TYPE_NAMES)}")
        name = {"date": "datetime", "keyword": "string", "date_period": "dateperiod",
                "time_duration": "timeduration"}.get(TYPE_NAMES[type], TYPE_NAMES[type])
        return self.call(syntax.Call(f"to_{name}", (operand,), at=node.at))

    # functions

    def call(self, node: syntax.Call) -> Code:
        if special := _SPECIAL.get(node.name):
            return special(self, node)
        if not (found := FUNCTIONS.get(node.name)):
            if node.name in AGGREGATES:
                raise EsqlError(node.at, f"{node.name} is an aggregate: it can stand in stats only")
            known = (*FUNCTIONS, *_SPECIAL, *AGGREGATES)
            raise EsqlError(node.at, f"no function {node.name}{nearest(node.name, known)}")
        codes = self.arguments(node, found.signature.parameter if found.signature.parameters else None)
        type = found.signature.check([code.type for code in codes], [a.at for a in node.arguments], node.at)
        return applied(found, codes, type)

    def arguments(self, node: syntax.Call, parameter: Any = None) -> list[Code]:
        codes = [self.compile(argument) for argument in node.arguments]
        if not parameter:
            return codes
        return [_taken_as(code, parameter(place).type, node.arguments[place].at)
                if parameter(place).type in _FROM_TEXT else code for place, code in enumerate(codes)]

    def _now(self, node: syntax.Call) -> Code:
        if node.arguments:
            raise EsqlError(node.at, "now takes no argument")
        return Code(lambda row: row[NOW], "date")

    def _date_trunc(self, node: syntax.Call) -> Code:
        """``date_trunc(span, date)``, and ``bucket(date, span)``."""
        if len(node.arguments) != 2:
            raise EsqlError(node.at, f"{node.name} takes a timespan and a date")
        first, second = node.arguments if node.name == "date_trunc" else node.arguments[::-1]
        span = _spanned(self.compile(first), first.at)
        date = _taken_as(self.compile(second), "date", second.at)
        if date.type not in ("date", "null"):
            raise EsqlError(second.at, f"{node.name} cuts a date, not {date.type}")
        if span.value.amount <= 0:
            raise EsqlError(first.at, f"the timespan of {node.name} must be positive")
        trunc = truncate(span.value)
        seconds = span.value.window
        whole = seconds is not None and isinstance(date.fact, OfField) and date.fact.name == "@timestamp"
        return Code(_lifted(trunc, [_single(date)]), "date", constant=date.constant,
                    fact=OfWindow(seconds) if whole and seconds else None)

    def _case(self, node: syntax.Call) -> Code:
        """``case(condition, value, …, otherwise)``: the first value whose condition is true."""
        if len(node.arguments) < 2:
            raise EsqlError(node.at, "case takes conditions, each with a value")
        parts = list(node.arguments)
        last = parts.pop() if len(parts) % 2 else None
        tests = [_single(self.condition(part)) for part in parts[::2]]
        chosen = [self.compile(part) for part in (*parts[1::2], *([last] if last else []))]
        type = self._one_type(node, chosen)
        results = [code.read for code in chosen]
        pairs = list(zip(tests, results, strict=False))
        otherwise = results[-1] if last else (lambda _: None)

        def case(row: Any) -> Any:
            for test, result in pairs:
                if test(row) is True:
                    return result(row)
            return otherwise(row)
        return Code(_as(type, case), type, any(c.many for c in chosen))

    def _coalesce(self, node: syntax.Call) -> Code:
        if not node.arguments:
            raise EsqlError(node.at, "coalesce takes at least one argument")
        codes = self.arguments(node)
        type = self._one_type(node, codes)
        reads = [code.read for code in codes]

        def coalesce(row: Any) -> Any:
            for read in reads:
                if (value := read(row)) is not None:
                    return value
            return None
        return Code(_as(type, coalesce), type, any(c.many for c in codes))

    def _one_type(self, node: syntax.Call, codes: Sequence[Code]) -> Type:
        type: Type = "null"
        for code in codes:
            if (joined := common(type, code.type)) is None:
                raise EsqlError(node.at, f"the values of {node.name} have different types: {type} and {code.type}")
            type = joined
        return type


_SPECIAL: dict[str, Callable[[Compiler, syntax.Call], Code]] = {
    "now": Compiler._now, "date_trunc": Compiler._date_trunc, "bucket": Compiler._date_trunc,
    "case": Compiler._case, "coalesce": Compiler._coalesce}

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _truncated(a: int, b: int) -> int:
    """Whole numbers divide toward zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "%": lambda a, b: a - b * int(a / b)}
_WHOLE: dict[str, Callable[[Any, Any], Any]] = {"/": _truncated, "%": lambda a, b: a - b * _truncated(a, b)}


def literal(value: Any) -> Code:
    if isinstance(value, tuple):
        code = literal(value[0]) if value else literal(None)
        return constant(values.single(value), code.type)
    if value is None:
        return constant(None, "null")
    if isinstance(value, bool):
        return constant(value, "boolean")
    if isinstance(value, int):
        return constant(value, "integer" if values.in_range(value, "integer") is not None else "long")
    return constant(value, "double" if isinstance(value, float) else "keyword")


def timespan(node: syntax.Timespan) -> Code:
    if node.unit in DURATIONS:
        return constant(Timespan(node.amount, node.unit), "time_duration")
    if node.unit in PERIODS:
        return constant(Timespan(node.amount, node.unit), "date_period")
    raise EsqlError(node.at, f"no unit of time {node.unit}{nearest(node.unit, (*DURATIONS, *PERIODS))}")


_FROM_TEXT = ("date", "ip", "boolean", "span", "date_period", "time_duration")
"""What a string constant may stand for."""
_CONVERT: dict[str, Callable[[str], Any]] = {"date": values.date_from_text, "ip": values.ip_from_text,
                                             "boolean": {"true": True, "false": False}.get}


def _taken_as(code: Code, type: str, at: Span) -> Code:
    """A string constant as the ``type`` that is wanted; any other code as it is."""
    if type not in _FROM_TEXT or code.type != "keyword" or not code.constant:
        return code
    if type in SPANS or type == "span":
        return _spanned(code, at)
    found = []
    for text in values.many(code.value):
        if (value := _CONVERT[type](text)) is None:
            raise EsqlError(at, f'"{text}" is no {type}')
        found.append(value)
    return constant(values.single(found), type)  # type: ignore[arg-type]


def _spanned(code: Code, at: Span) -> Code:
    if code.constant and code.type == "keyword" \
            and (found := re.fullmatch(r"\s*(\d+)\s*([A-Za-z]+)\s*", str(code.value))):
        return timespan(syntax.Timespan(int(found[1]), found[2].lower(), at=at))
    if code.type not in SPANS:
        raise EsqlError(at, f"a timespan such as 30 seconds must stand here, not {code.type}")
    return code


def _dated(code: Code, other: Code, at: Span) -> Code:
    """In ``"2024-01-01" + 1 day`` the text is a date."""
    return _taken_as(code, "date", at) if other.type in SPANS else code


def _as(type: Type, read: Read) -> Read:
    """Where branches of different number types meet, all give the wider one."""
    if type != "double":
        return read
    return lambda row: float(v) if isinstance(v := read(row), int) else v


def _single(code: Code) -> Read:
    """Its value, or null where there are several."""
    read = code.read
    if not code.many:
        return read
    return lambda row: None if isinstance(v := read(row), list) else v


def _lifted(compute: Callable[..., Any], reads: Sequence[Read]) -> Read:
    """``compute`` over what ``reads`` give; null where one of them is null or ``compute`` fails."""
    if len(reads) == 1:
        read, = reads

        def unary(row: Any) -> Any:
            if (value := read(row)) is None:
                return None
            try:
                return compute(value)
            except (ValueError, ArithmeticError):
                return None
        return unary
    if len(reads) == 2:
        left, right = reads

        def binary(row: Any) -> Any:
            if (a := left(row)) is None or (b := right(row)) is None:
                return None
            try:
                return compute(a, b)
            except (ValueError, ArithmeticError):
                return None
        return binary

    def other(row: Any) -> Any:
        arguments = []
        for read in reads:
            if (value := read(row)) is None:
                return None
            arguments.append(value)
        try:
            return compute(*arguments)
        except (ValueError, ArithmeticError):
            return None
    return other


def applied(function: Function, codes: Sequence[Code], type: Type) -> Code:
    """A call of ``function``; its signature says how multivalues are handed over."""
    compute: Callable[..., Any] = function.implementation
    if function.typed:
        types = tuple(code.type for code in codes)
        plain = compute
        compute = lambda *arguments: plain(*arguments, types=types)  # noqa: E731
    marks = [function.signature.parameter(place).mark for place in range(len(codes))]
    if function.signature.many:
        listed = compute
        compute = lambda *arguments: values.single(listed(*arguments))  # noqa: E731
    if "*" in marks:
        compute = _each(compute, marks.index("*"))
    reads = [_listed(code.read) if mark == "[]" else code.read if mark == "*" else _single(code)
             for code, mark in zip(codes, marks, strict=True)]
    several = function.signature.many or any(c.many for c, m in zip(codes, marks, strict=True) if m == "*")
    return Code(_lifted(compute, reads), type, several, constant=all(code.constant for code in codes))


def _listed(read: Read) -> Read:
    return lambda row: values.many(v) if (v := read(row)) is not None else None


def _each(compute: Callable[..., Any], place: int) -> Callable[..., Any]:
    """``compute`` on every value of the argument at ``place``; values that it fails on go."""

    def each(*arguments: Any) -> Any:
        if not isinstance(arguments[place], list):
            return compute(*arguments)
        found = []
        for value in arguments[place]:
            try:
                one = compute(*arguments[:place], value, *arguments[place + 1:])
            except (ValueError, ArithmeticError):
                continue
            if one is not None:
                found.append(one)
        return values.single(found)
    return each
