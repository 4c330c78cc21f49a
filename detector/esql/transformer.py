"""Turn lark's parse trees into syntax trees."""

from __future__ import annotations

import math
import re
from typing import Any

from lark import Token, Transformer, Tree, v_args
from lark.tree import Meta

from detector.esql import ast
from detector.esql.errors import QUERY_START, EsqlError, Span
from detector.esql.full_text import SEARCH_FUNCTIONS, match_condition, search_condition
from detector.esql.time_range import TIMED_AGGREGATES, time_range_condition, timed_aggregate


def build(text: str, tree: Tree[Token]) -> Any:
    """Build the syntax tree of a text from lark's parse tree."""
    return _Builder(text).transform(tree)


def _unquoted(name: str) -> str:
    """Normalize the name of a column: no backticks, no blanks around dots."""
    parts = re.findall(r"`((?:[^`]|``)*)`|([A-Za-z_@]\w*)", name)
    return ".".join(quoted.replace("``", "`") or plain for quoted, plain in parts)


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


@v_args(meta=True)
class _Builder(Transformer[Token, Any]):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def span(self, meta: Meta) -> Span:
        if meta.empty:
            return QUERY_START
        return Span(meta.line, meta.column, meta.start_pos, meta.end_pos)

    def token_span(self, token: Token) -> Span:
        return Span(token.line or 1, token.column or 1, token.start_pos or 0, token.end_pos or 0)

    # commands

    def query(self, meta: Meta, parts: list[Any]) -> ast.Tree:
        return ast.Tree(tuple(parts), span=self.span(meta))

    def pattern(self, _meta: Meta, parts: list[Any]) -> str:
        part = parts[0]
        return part.value if isinstance(part, ast.Literal) else str(part)  # type: ignore[return-value]

    def reads(self, meta: Meta, parts: list[Any]) -> ast.From:
        return ast.From(
            tuple(p for p in parts if isinstance(p, str)),
            tuple(p.name for p in parts if isinstance(p, ast.Column)),
            span=self.span(meta),
        )

    def row(self, meta: Meta, parts: list[Any]) -> ast.Row:
        return ast.Row(parts[0], span=self.span(meta))

    def where(self, meta: Meta, parts: list[Any]) -> ast.Where:
        return ast.Where(parts[0], span=self.span(meta))

    def eval(self, meta: Meta, parts: list[Any]) -> ast.Eval:
        return ast.Eval(parts[0], span=self.span(meta))

    def keep(self, meta: Meta, parts: list[Any]) -> ast.Keep:
        return ast.Keep(tuple(parts), span=self.span(meta))

    def drop(self, meta: Meta, parts: list[Any]) -> ast.Drop:
        return ast.Drop(tuple(parts), span=self.span(meta))

    def rename(self, meta: Meta, parts: list[Any]) -> ast.Rename:
        return ast.Rename(tuple(parts), span=self.span(meta))

    def renamed_as(self, _meta: Meta, parts: list[Any]) -> tuple[ast.Column, ast.Column]:
        return parts[0], parts[1]

    def renamed_to(self, _meta: Meta, parts: list[Any]) -> tuple[ast.Column, ast.Column]:
        return parts[1], parts[0]

    def stats(self, meta: Meta, parts: list[Any]) -> ast.Stats:
        if parts == [None, None]:
            raise EsqlError(
                self.span(meta), "stats computes nothing: an aggregate or a by is missing"
            )
        return ast.Stats(parts[0] or (), parts[1] or (), span=self.span(meta))

    def inline_stats(self, meta: Meta, parts: list[Any]) -> ast.InlineStats:
        return ast.InlineStats(parts[0], parts[1] or (), span=self.span(meta))

    def sort(self, meta: Meta, parts: list[Any]) -> ast.Sort:
        return ast.Sort(tuple(parts), span=self.span(meta))

    def order(self, meta: Meta, parts: list[Any]) -> ast.Order:
        descending = parts[1] is not None and parts[1].lower() == "desc"
        nulls_first = descending
        if parts[2]:
            nulls_first = parts[2].lower().endswith("first")
        return ast.Order(parts[0], descending, nulls_first, span=self.span(meta))

    def limit(self, meta: Meta, parts: list[Any]) -> ast.Limit:
        return ast.Limit(self._whole(parts[0]), span=self.span(meta))

    def mv_expand(self, meta: Meta, parts: list[Any]) -> ast.MvExpand:
        return ast.MvExpand(parts[0], span=self.span(meta))

    def dissect(self, meta: Meta, parts: list[Any]) -> ast.Dissect:
        value, pattern, option, separator = parts
        if option is not None and option.lower() != "append_separator":
            raise EsqlError(
                self.token_span(option), f"dissect knows the option append_separator, not {option}"
            )
        joint = separator.value if separator else ""
        return ast.Dissect(value, pattern.value, joint, span=self.span(meta))

    def grok(self, meta: Meta, parts: list[Any]) -> ast.Grok:
        return ast.Grok(parts[0], tuple(p.value for p in parts[1:]), span=self.span(meta))

    def enrich(self, meta: Meta, parts: list[Any]) -> ast.Enrich:
        policy, match, *added = parts
        fields = tuple(each for each in added if each is not None) or None
        return ast.Enrich(policy.rpartition(":")[2], match, fields, span=self.span(meta))

    def enriched(self, meta: Meta, parts: list[Any]) -> ast.Named:
        new, column = parts
        return ast.Named((new or column).name, column, span=self.span(meta))

    def lookup_join(self, meta: Meta, parts: list[Any]) -> ast.LookupJoin:
        table, *joined = parts
        shared = [left is right for left, right in joined]
        if any(shared) and not all(shared):
            raise EsqlError(self.span(meta), "lookup join takes names or comparisons, not both")
        return ast.LookupJoin(table, tuple(joined), all(shared), span=self.span(meta))

    def joined(self, meta: Meta, parts: list[Any]) -> tuple[ast.Column, ast.Column]:
        left, comparison, right = parts
        if comparison is None:
            return left, left
        if comparison != "==":
            raise EsqlError(
                self.span(meta), f"lookup join compares by == only: {comparison} is not supported"
            )
        return left, right

    def fields(self, _meta: Meta, parts: list[Any]) -> tuple[ast.Named, ...]:
        return tuple(parts)

    def field(self, meta: Meta, parts: list[Any]) -> ast.Named:
        name, expression = parts
        if name is not None:
            own_name = name.name
        elif isinstance(expression, ast.Column):
            own_name = expression.name
        else:
            own_name = self.text[meta.start_pos : meta.end_pos]
        return ast.Named(own_name, expression, span=self.span(meta))

    def aggregations(self, _meta: Meta, parts: list[Any]) -> tuple[ast.Aggregation, ...]:
        return tuple(parts)

    def aggregation(self, meta: Meta, parts: list[Any]) -> ast.Aggregation:
        return ast.Aggregation(parts[0], parts[1], span=self.span(meta))

    # expressions

    def column_name(self, meta: Meta, parts: list[Any]) -> ast.Column:
        return ast.Column(_unquoted(parts[0]), span=self.span(meta))

    def column_pattern(self, meta: Meta, parts: list[Any]) -> ast.Column:
        if parts[0].type == "NAME_PATTERN":
            return ast.Column(str(parts[0]), span=self.span(meta))
        return self.column_name(meta, parts)

    column = column_name

    def either(self, meta: Meta, parts: list[Any]) -> ast.Logic:
        return ast.Logic("or", tuple(parts), span=self.span(meta))

    def both(self, meta: Meta, parts: list[Any]) -> ast.Logic:
        return ast.Logic("and", tuple(parts), span=self.span(meta))

    def negated(self, meta: Meta, parts: list[Any]) -> ast.Not:
        return ast.Not(parts[-1], span=self.span(meta))

    def compared(self, meta: Meta, parts: list[Any]) -> ast.Compare:
        return ast.Compare(str(parts[1]), parts[0], parts[2], span=self.span(meta))

    def arithmetic(self, meta: Meta, parts: list[Any]) -> ast.Arithmetic:
        return ast.Arithmetic(str(parts[1]), parts[0], parts[2], span=self.span(meta))

    def _unless(self, negation: Token | None, test: ast.Expression) -> ast.Expression:
        if negation:
            return ast.Not(test, span=test.span)
        return test

    def among(self, meta: Meta, parts: list[Any]) -> ast.Expression:
        return self._unless(parts[1], ast.In(parts[0], parts[2], span=self.span(meta)))

    def like(self, meta: Meta, parts: list[Any]) -> ast.Expression:
        return self._unless(parts[1], ast.Like(parts[0], parts[2], False, span=self.span(meta)))

    def rlike(self, meta: Meta, parts: list[Any]) -> ast.Expression:
        return self._unless(parts[1], ast.Like(parts[0], parts[2], True, span=self.span(meta)))

    def is_null(self, meta: Meta, parts: list[Any]) -> ast.Expression:
        return self._unless(parts[1], ast.IsNull(parts[0], span=self.span(meta)))

    def matched(self, meta: Meta, parts: list[Any]) -> ast.FieldMatch:
        return match_condition(parts[0], parts[1], self.span(meta))

    def patterns(self, _meta: Meta, parts: list[Any]) -> tuple[str, ...]:
        return tuple(p.value for p in parts)

    def sign(self, meta: Meta, parts: list[Any]) -> ast.Expression:
        operand = parts[1]
        if parts[0] == "+":
            return operand  # type: ignore[no-any-return]
        if isinstance(operand, ast.Literal) and isinstance(operand.value, int | float):
            return ast.Literal(-operand.value, span=self.span(meta))
        return ast.Negate(operand, span=self.span(meta))

    def cast(self, meta: Meta, parts: list[Any]) -> ast.Cast:
        return ast.Cast(parts[0], parts[1].lower(), span=self.span(meta))

    def call(self, meta: Meta, parts: list[Any]) -> ast.Expression:
        call = ast.Call(_unquoted(parts[0]).lower(), parts[1] or (), span=self.span(meta))
        if call.name in SEARCH_FUNCTIONS:
            return search_condition(call)
        if call.name == "trange":
            return time_range_condition(call)
        if call.name in TIMED_AGGREGATES:
            return timed_aggregate(call)
        return call

    def call_on_rows(self, meta: Meta, parts: list[Any]) -> ast.Call:
        return ast.Call(_unquoted(parts[0]).lower(), (), on_rows=True, span=self.span(meta))

    def arguments(self, _meta: Meta, parts: list[Any]) -> tuple[ast.Expression, ...]:
        return tuple(parts)

    # constants

    def values(self, meta: Meta, parts: list[Any]) -> ast.Literal:
        if len({type(p.value) for p in parts}) > 1:
            raise EsqlError(self.span(meta), "the values of one list must have one type")
        return ast.Literal(tuple(p.value for p in parts), span=self.span(meta))

    def string(self, meta: Meta, parts: list[Any]) -> ast.Literal:
        text = str(parts[0])
        if parts[0].type == "TRIPLE_QUOTED":
            return ast.Literal(text[3:-3], span=self.span(meta))

        def unescape(escape: re.Match[str]) -> str:
            character = _ESCAPES.get(escape[1])
            if character is None:
                raise EsqlError(
                    self.span(meta),
                    f"no such escape in a string: \\{escape[1]}; "
                    'write \\\\ for a backslash, or use """ quotes',
                )
            return character

        return ast.Literal(re.sub(r"\\(.)", unescape, text[1:-1]), span=self.span(meta))

    def integer(self, meta: Meta, parts: list[Any]) -> ast.Literal:
        number: int | float = self._whole(parts[0])
        if number >= 2**63:
            number = float(number)
        return ast.Literal(number, span=self.span(meta))

    def decimal(self, meta: Meta, parts: list[Any]) -> ast.Literal:
        return ast.Literal(self._finite(parts[0]), span=self.span(meta))

    def timespan(self, meta: Meta, parts: list[Any]) -> ast.Timespan:
        return ast.Timespan(self._whole(parts[0]), parts[1].lower(), span=self.span(meta))

    def _whole(self, token: Token) -> int:
        self._finite(token)
        return int(token.lstrip("0") or "0")  # int() limits the digits, leading zeros included

    def _finite(self, token: Token) -> float:
        number = float(token)
        if number == math.inf:
            raise EsqlError(self.token_span(token), "the number is too large")
        return number

    def true(self, meta: Meta, _parts: list[Any]) -> ast.Literal:
        return ast.Literal(True, span=self.span(meta))

    def false(self, meta: Meta, _parts: list[Any]) -> ast.Literal:
        return ast.Literal(False, span=self.span(meta))

    def null(self, meta: Meta, _parts: list[Any]) -> ast.Literal:
        return ast.Literal(None, span=self.span(meta))
