"""Parse EQL's conditions and values into the syntax tree."""

from __future__ import annotations

from collections.abc import Callable

from detector.eql import conditions, functions
from detector.eql.cursor import TokenCursor
from detector.eql.lexer import RESERVED_WORDS, Token
from detector.esql import ast
from detector.esql.errors import EsqlError

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_PREDICATES = ("in", "in~", "not", ":", "like", "like~", "regex", "regex~")


class ConditionParser:
    """A recursive-descent parser for the condition after ``where``."""

    def __init__(self, tokens: TokenCursor) -> None:
        self._tokens = tokens

    def condition(self) -> ast.Expression:
        return conditions.condition(self._expression())

    def _expression(self) -> ast.Expression:
        return self._joined("or", lambda: self._joined("and", self._negation))

    def _joined(self, operator: str, parse: Callable[[], ast.Expression]) -> ast.Expression:
        first = parse()
        if not self._tokens.is_at(operator):
            return first
        span = self._tokens.next.span
        operands = [conditions.condition(first)]
        while self._tokens.accept(operator):
            operands.append(conditions.condition(parse()))
        return ast.Logic(operator, tuple(operands), span=span)

    def _negation(self) -> ast.Expression:
        token = self._tokens.accept("not")
        if token is None:
            return self._comparison()
        return ast.Not(conditions.condition(self._negation()), span=token.span)

    def _comparison(self) -> ast.Expression:
        left = self._sum()
        if not self._tokens.is_at(*_COMPARISONS):
            return left
        operator = self._tokens.take()
        right = self._sum()
        if self._tokens.is_at(*_COMPARISONS):
            raise EsqlError(
                self._tokens.next.span, "comparisons cannot be chained; join them by and"
            )
        return conditions.compare(operator.text, left, right, operator.span)

    # values

    def _sum(self) -> ast.Expression:
        return self._operation(("+", "-"), lambda: self._operation(("*", "/", "%"), self._unary))

    def _operation(
        self, signs: tuple[str, ...], parse: Callable[[], ast.Expression]
    ) -> ast.Expression:
        left = parse()
        while self._tokens.is_at(*signs):
            sign = self._tokens.take()
            right = conditions.value(parse())
            left = conditions.value(left)
            if sign.text in ("/", "%"):
                functions.refuse_number(left)
                functions.refuse_number(right)
            left = ast.Arithmetic(sign.text, left, right, span=sign.span)
        return left

    def _unary(self) -> ast.Expression:
        sign = self._tokens.accept("-", "+")
        if sign is None:
            return self._predicate()
        operand = conditions.value(self._unary())
        if sign.text == "+":
            return operand
        if isinstance(operand, ast.Literal) and isinstance(operand.value, int | float):
            return ast.Literal(-operand.value, span=self._tokens.span_from(sign.span))
        return ast.Negate(operand, span=sign.span)

    def _predicate(self) -> ast.Expression:
        """Parse a value and an optional ``in``, ``:``, ``like`` or ``regex`` predicate."""
        left = self.primary()
        if not self._tokens.is_at(*_PREDICATES):
            return left
        if self._tokens.is_at("not"):
            negation = self._tokens.take()
            if not self._tokens.is_at("in", "in~"):
                raise self._tokens.unexpected("in after not; or write not before the condition")
            return ast.Not(self._asked(left), span=negation.span)
        return self._asked(left)

    def _asked(self, left: ast.Expression) -> ast.Expression:
        word = self._tokens.take()
        ignore_case = word.text == ":" or word.text.endswith("~")
        name = word.text.removesuffix("~")
        if name == "in":
            return conditions.is_in(left, self._list(), ignore_case, word.span)
        patterns = [self._pattern(option, word.text) for option in self._options()]
        if name == "regex":
            return conditions.regex(left, patterns, ignore_case, word.span)
        return conditions.like(left, patterns, ignore_case, word.span)

    def _options(self) -> list[ast.Literal]:
        """Parse one constant, or several in parentheses."""
        if self._tokens.is_at("("):
            return self._list()
        return [self._constant()]

    def _list(self) -> list[ast.Literal]:
        self._tokens.expect("(")
        constants = [self._constant()]
        while self._tokens.accept(","):
            constants.append(self._constant())
        self._tokens.expect(")", ", or )")
        return constants

    def _constant(self) -> ast.Literal:
        start = self._tokens.next.span
        node = self._unary()
        if not isinstance(node, ast.Literal):
            raise EsqlError(self._tokens.span_from(start), "a constant must stand here")
        return node

    def _pattern(self, constant: ast.Literal, operator: str) -> str:
        if not isinstance(constant.value, str):
            raise EsqlError(constant.span, f"{operator} compares strings only; use ==")
        return constant.value

    def primary(self) -> ast.Expression:
        token = self._tokens.take()
        match token.kind:
            case "string":
                return ast.Literal(token.text, span=token.span)
            case "number":
                return _number(token)
            case "quoted-name":
                return self._field(token)
            case "name":
                return self._named(token)
        if token.text == "(":
            inner = self._expression()
            self._tokens.expect(")")
            return inner
        if token.text == "?":
            name = self._tokens.take()
            if name.kind not in ("name", "quoted-name"):
                raise EsqlError(token.span, "the name of a field must stand after ?")
            column = self._field(name)
            return ast.OptionalColumn(column.name, span=self._tokens.span_from(token.span))
        self._tokens.back(token)
        raise self._tokens.unexpected("a value or the name of a field")

    def _named(self, token: Token) -> ast.Expression:
        """Parse a constant, function call or field that begins with a name."""
        constants = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return ast.Literal(constants[token.text], span=token.span)
        if self._tokens.is_at("(") and token.text not in RESERVED_WORDS:
            return self._call(token)
        if self._tokens.is_at("of") and token.text in ("child", "descendant", "event"):
            raise EsqlError(token.span, f"{token.text} of is not supported: it is of processes")
        if token.text in RESERVED_WORDS or token.text.endswith("~"):
            self._tokens.back(token)
            raise self._tokens.unexpected("a value or the name of a field")
        return self._field(token)

    def _call(self, name: Token) -> ast.Expression:
        self._tokens.expect("(")
        arguments: list[ast.Expression] = []
        if not self._tokens.is_at(")"):
            arguments.append(conditions.value(self._expression()))
            while self._tokens.accept(","):
                arguments.append(conditions.value(self._expression()))
        self._tokens.expect(")", ", or )")
        return functions.function_call(
            name.text, tuple(arguments), self._tokens.span_from(name.span)
        )

    def _field(self, first: Token) -> ast.Column:
        """Parse a dotted field name."""
        parts = [first.text]
        while self._tokens.accept("."):
            part = self._tokens.take()
            if part.kind not in ("name", "quoted-name") or part.text.endswith("~"):
                raise EsqlError(part.span, "the name of a field ends with a dot")
            parts.append(part.text)
        if self._tokens.is_at("[") and self._tokens.second.kind == "number":
            raise EsqlError(
                self._tokens.next.span,
                "an element of a list is not supported: == is true of any value",
            )
        return ast.Column(".".join(parts), span=self._tokens.span_from(first.span))


def _number(token: Token) -> ast.Literal:
    if token.text.isdecimal():
        return ast.Literal(int(token.text), span=token.span)
    return ast.Literal(float(token.text), span=token.span)
