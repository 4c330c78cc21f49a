"""Compile expressions to closures over rows. Types are resolved once, at compile time.

The logic is three-valued: an operator returns null for a null operand, or for a multivalue where it
requires a single value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from detector.ecs import values
from detector.ecs.values import NUMBERS, SPANS, TYPE_NAMES, Type
from detector.esql import ast
from detector.esql.comparisons import COMPARISONS
from detector.esql.errors import EsqlError
from detector.esql.expressions.constants import coerce_text, compile_literal, compile_timespan
from detector.esql.expressions.date_arithmetic import compile_date_arithmetic
from detector.esql.expressions.kql_match import compile_field_match, compile_range_match
from detector.esql.expressions.null_propagation import (
    compile_function_call,
    propagate_null,
    single_getter,
)
from detector.esql.expressions.scope import (
    RECORD,
    ColumnFact,
    ColumnScope,
    CompiledExpr,
    EventTimeFact,
    Getter,
    TimeSpanFact,
    constant,
)
from detector.esql.expressions.special_functions import SPECIAL_FUNCTIONS
from detector.esql.expressions.value_match import compile_same_text, compile_value_match
from detector.esql.expressions.value_scope import ValueScope
from detector.esql.functions import FUNCTIONS, Function
from detector.esql.functions.aggregates import AGGREGATES
from detector.esql.functions.dates import difference_function
from detector.esql.functions.registry import ConstantCheck
from detector.esql.functions.signature import common_type
from detector.esql.functions.unsupported import UNSUPPORTED
from detector.esql.like import matcher
from detector.text.suggest import nearest


class Compiler:
    """Compiles expressions over the columns of a scope."""

    def __init__(self, scope: ColumnScope) -> None:
        self.scope = scope

    def compile(self, node: ast.Expression) -> CompiledExpr:
        """Compile an expression. Raises EsqlError for unknown names and mismatched types."""
        match node:
            case ast.Literal(value):
                return compile_literal(value)
            case ast.Timespan():
                return compile_timespan(node)
            case ast.OptionalColumn(name) if not self.scope.has(name):
                return constant(None, "null")
            case ast.Column(name):
                return self.scope.find(name, node.span)
            case ast.Call():
                return self.call(node)
            case ast.Cast():
                return self._cast(node)
            case ast.Arithmetic():
                return self._arithmetic(node)
            case ast.Negate(operand):
                return self._negate(operand)
            case ast.Matching():
                return self._matching(node)
        return self._compile_condition(node)

    def _compile_condition(self, node: ast.Expression) -> CompiledExpr:
        match node:
            case ast.Not(operand):
                return self._not(operand)
            case ast.Logic():
                return self._logic(node)
            case ast.Compare():
                return self._compare(node)
            case ast.In():
                return self._in(node)
            case ast.Like() | ast.InsensitiveLike():
                return self._like(node)
            case ast.AnyValue(condition):
                values = ValueScope(self.scope)
                return values.any(Compiler(values).condition(condition))
            case ast.FieldMatch():
                return compile_field_match(node, self.scope)
            case ast.ValueMatch():
                return compile_value_match(node, self.scope)
            case ast.SameText():
                return compile_same_text(node, self.scope)
            case ast.RangeMatch():
                return compile_range_match(node, self.scope)
            case ast.IsNull(operand):
                read = self.compile(operand).read
                return CompiledExpr(lambda row: read(row) is None, "boolean")
        raise AssertionError(node)

    def column_value(self, node: ast.Expression) -> CompiledExpr:
        """Compile an expression whose value a column can hold. Raises EsqlError for a timespan."""
        expr = self.compile(node)
        if expr.type in SPANS:
            raise EsqlError(
                node.span, "a timespan is no value of a column: write it where it is added"
            )
        return expr

    def condition(self, node: ast.Expression) -> CompiledExpr:
        """Compile a condition. Raises EsqlError if the expression is not boolean."""
        expr = self.compile(node)
        if expr.type not in ("boolean", "null"):
            raise EsqlError(node.span, f"a condition must be true or false, not {expr.type}")
        return expr

    def call(self, node: ast.Call) -> CompiledExpr:
        """Compile the call of a scalar function."""
        compile_special = SPECIAL_FUNCTIONS.get(node.name)
        if compile_special is not None:
            return compile_special(self, node)
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise _unknown_function(node)
        if node.on_rows:
            raise EsqlError(node.span, f"{node.name} does not take *")
        signature = function.signature
        exprs = [self.compile(argument) for argument in node.arguments]
        if signature.parameters:
            exprs = [
                coerce_text(expr, signature.parameter(index).type, node.arguments[index].span)
                for index, expr in enumerate(exprs)
            ]
        type = signature.check(
            [expr.type for expr in exprs], [argument.span for argument in node.arguments], node.span
        )
        _check_constants(function, node, exprs)
        expr = compile_function_call(function, exprs, type)
        fact = _fact_of_call(node.name, exprs)
        return expr if fact is None else msgspec.structs.replace(expr, fact=fact)

    def _not(self, operand: ast.Expression) -> CompiledExpr:
        test = single_getter(self.condition(operand))
        if self.scope.layout.options.null_negation:
            return CompiledExpr(lambda row: test(row) is not True, "boolean")

        def negated(row: Any) -> bool | None:
            value = test(row)
            return None if value is None else not value

        return CompiledExpr(negated, "boolean")

    def _logic(self, node: ast.Logic) -> CompiledExpr:
        """Compile ``and`` or ``or``.

        The first deciding operand ends the evaluation: false for ``and``, true for ``or``. If none
        decides, the result is null if any operand is null."""
        tests = [single_getter(self.condition(operand)) for operand in node.operands]
        deciding_value = node.operator == "or"

        def logic(row: Any) -> bool | None:
            result: bool | None = not deciding_value
            for test in tests:
                value: bool | None = test(row)
                if value is deciding_value:
                    return value
                if value is None:
                    result = None
            return result

        return CompiledExpr(logic, "boolean")

    def _matching(self, node: ast.Matching) -> CompiledExpr:
        tests = [
            (name, self.condition(condition).read)
            for name, condition in zip(node.names, node.conditions, strict=True)
        ]

        def matching(row: Any) -> Any:
            return values.single([name for name, test in tests if test(row) is True])

        return CompiledExpr(matching, "keyword", many=True)

    def _compare(self, node: ast.Compare) -> CompiledExpr:
        left, right = self.compile(node.left), self.compile(node.right)
        left, right = (
            coerce_text(left, right.type, node.left.span),
            coerce_text(right, left.type, node.right.span),
        )
        type = common_type(left.type, right.type)
        if type is None:
            raise EsqlError(node.left.span, f"cannot compare {left.type} with {right.type}")
        is_equality = node.operator in ("==", "!=")
        if type in SPANS or (type == "boolean" and not is_equality):
            raise EsqlError(node.span, f"{node.operator} does not compare {type} values")
        test = COMPARISONS[node.operator]
        if type == "ip" and not is_equality:
            test = _by_ip_order(test)
        compare = propagate_null(test, [single_getter(left), single_getter(right)])
        if node.operator == "==" and right.constant and left.may_be is not None:
            compare = _if_possible(left.may_be, right.value, compare)
        if node.operator == "!=" and self.scope.layout.options.null_negation:
            return CompiledExpr(lambda row: compare(row) is not False, "boolean")
        return CompiledExpr(compare, "boolean")

    def _in(self, node: ast.In) -> CompiledExpr:
        value = self.compile(node.value)
        options = []
        for option_node in node.options:
            option = coerce_text(self.compile(option_node), value.type, option_node.span)
            value = coerce_text(value, option.type, node.value.span)
            if common_type(value.type, option.type) is None:
                raise EsqlError(option_node.span, f"cannot look for {value.type} in {option.type}")
            options.append(option)
        read = single_getter(value)
        option_reads = [single_getter(option) for option in options]
        if all(option.constant for option in options):
            return _in_constants(read, {read_option([]) for read_option in option_reads})

        def is_in(row: Any) -> bool | None:
            value = read(row)
            if value is None:
                return None
            result: bool | None = False
            for read_option in option_reads:
                option = read_option(row)
                if option is None:
                    result = None
                elif option == value:
                    return True
            return result

        return CompiledExpr(is_in, "boolean")

    def _like(self, node: ast.Like | ast.InsensitiveLike) -> CompiledExpr:
        value = self.compile(node.value)
        if value.type not in ("keyword", "null"):
            name = "rlike" if node.regular else "like"
            raise EsqlError(node.value.span, f"{name} looks at text, not {value.type}")
        ignore_case = isinstance(node, ast.InsensitiveLike)
        matches = matcher(node.patterns, node.regular, node.span, ignore_case)
        return CompiledExpr(propagate_null(matches, [single_getter(value)]), "boolean")

    def _arithmetic(self, node: ast.Arithmetic) -> CompiledExpr:
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator in "+-":
            shifted = compile_date_arithmetic(node, left, right)
            if shifted is not None:
                return shifted
        type = common_type(left.type, right.type)
        if type is None or type not in (*NUMBERS, "null"):
            raise EsqlError(
                node.span, f"{node.operator} does not work on {left.type} and {right.type}"
            )
        operators = _INTEGER_ARITHMETIC if type in ("integer", "long") else _ARITHMETIC
        compute = operators[node.operator]
        range_type: Type = "double" if type == "null" else type
        return CompiledExpr(
            propagate_null(
                lambda a, b: values.in_range(compute(a, b), range_type),
                [single_getter(left), single_getter(right)],
            ),
            type,
            constant=left.constant and right.constant,
        )

    def _negate(self, operand: ast.Expression) -> CompiledExpr:
        expr = self.compile(operand)
        if expr.type in SPANS:
            return constant(expr.value.negative(), expr.type)
        if expr.type not in (*NUMBERS, "null"):
            raise EsqlError(operand.span, f"- does not work on {expr.type}")
        return CompiledExpr(
            propagate_null(lambda value: values.in_range(-value, expr.type), [single_getter(expr)]),
            expr.type,
            constant=expr.constant,
        )

    def _cast(self, node: ast.Cast) -> CompiledExpr:
        if node.type not in TYPE_NAMES:
            raise EsqlError(node.span, f"no type {node.type}{nearest(node.type, TYPE_NAMES)}")
        function = _CONVERSIONS[TYPE_NAMES[node.type]]
        return self.call(ast.Call(function, (node.operand,), span=node.span))


def _if_possible(may_be: Callable[[Any, Any], bool], value: Any, compare: Getter) -> Getter:
    """Return a getter that compares only if the left side may have the value, else gives false."""

    def call(row: Any) -> Any:
        if may_be(row[RECORD], value):
            return compare(row)
        return False

    return call


def _fact_of_call(name: str, arguments: Sequence[CompiledExpr]) -> ColumnFact:
    """Return the fact of ``date_diff`` between two times of a group; None for other calls."""
    if name != "date_diff" or not arguments[0].constant:
        return None
    if not all(isinstance(each.fact, EventTimeFact) for each in arguments[1:]):
        return None
    return TimeSpanFact(difference_function(arguments[0].value))


def _check_constants(function: Function, node: ast.Call, exprs: Sequence[CompiledExpr]) -> None:
    """Raise EsqlError for constants on which a function would fail in every row."""
    count = len(exprs)
    for index, check in function.constant_checks.items():
        first = index if index >= 0 else count + index
        is_repeated = index >= 0 and function.signature.parameter(index).repeated
        for position in range(first, count if is_repeated else first + 1):
            if 0 <= position < count:
                _check_constant(check, node, position, exprs[position])


def _check_constant(
    check: ConstantCheck, node: ast.Call, position: int, expr: CompiledExpr
) -> None:
    if not expr.constant or not isinstance(expr.value, str):
        return
    try:
        check(expr.value)
    except ValueError as error:
        raise EsqlError(node.arguments[position].span, f"{node.name}: {error}") from None


def _unknown_function(node: ast.Call) -> EsqlError:
    name = node.name
    if name in AGGREGATES:
        return EsqlError(node.span, f"{name} is an aggregate: it can stand in stats only")
    if name in UNSUPPORTED:
        reason = UNSUPPORTED[name]
        return EsqlError(node.span, f"the function {name.upper()} is not supported: {reason}")
    own = (each for each in FUNCTIONS if "." not in each)  # dotted names belong to EQL
    names = (*own, *SPECIAL_FUNCTIONS, *AGGREGATES)
    return EsqlError(node.span, f"no function {name}{nearest(name, names)}")


def _in_constants(read: Getter, options: set[Any]) -> CompiledExpr:
    """Compile IN with constant options as a set lookup."""
    result_if_absent = None if None in options else False
    options.discard(None)

    def is_in(row: Any) -> bool | None:
        value = read(row)
        if value is None:
            return None
        if value in options:
            return True
        return result_if_absent

    return CompiledExpr(is_in, "boolean")


def _by_ip_order(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda a, b: test(values.ip_order(str(a)), values.ip_order(str(b)))


def _divide_toward_zero(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        return -quotient
    return quotient


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

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
}
_INTEGER_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    **_ARITHMETIC,
    "/": _divide_toward_zero,
    "%": lambda a, b: a - b * _divide_toward_zero(a, b),
}
