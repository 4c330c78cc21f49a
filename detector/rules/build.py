"""From the parser's tokens to the tree of ``syntax``, and from its errors to sentences."""

from __future__ import annotations

import math
import re
from typing import Any

from lark import Token, Transformer, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args
from lark.tree import Meta

from detector.nearest import nearest
from detector.rules import kql, syntax
from detector.rules.errors import EsqlError, Span

COMMANDS = ("where", "eval", "keep", "drop", "rename", "stats", "inlinestats", "sort", "limit", "mv_expand",
            "dissect", "grok")
REFUSED = ("enrich", "lookup", "fork", "fuse", "change_point", "completion", "rerank", "sample", "join", "show",
           "metrics", "ts", "promql", "set", "registered_domain", "uri_parts", "user_agent")
"""Commands of ES|QL that trailhound has no answer for."""


def build(text: str, tree: Tree[Token]) -> Any:
    return _Builder(text).transform(tree)


def _unquoted(name: str) -> str:
    """A name as columns are known by: backticks off, blanks round the dots off."""
    parts = re.findall(r"`((?:[^`]|``)*)`|([A-Za-z_@]\w*)", name)
    return ".".join(quoted.replace("``", "`") or plain for quoted, plain in parts)


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


@v_args(meta=True)
class _Builder(Transformer[Token, Any]):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def at(self, meta: Meta) -> Span:
        if meta.empty:
            return Span(1, 1, 0, 0)
        return Span(meta.line, meta.column, meta.start_pos, meta.end_pos)

    def token_at(self, token: Token) -> Span:
        return Span(token.line or 1, token.column or 1, token.start_pos or 0, token.end_pos or 0)

    # commands

    def query(self, meta: Meta, parts: list[Any]) -> syntax.Tree:
        return syntax.Tree(tuple(parts), at=self.at(meta))

    def pattern(self, _meta: Meta, parts: list[Any]) -> str:
        part = parts[0]
        return part.value if isinstance(part, syntax.Literal) else str(part)  # type: ignore[return-value]

    def reads(self, meta: Meta, parts: list[Any]) -> syntax.From:
        return syntax.From(tuple(p for p in parts if isinstance(p, str)),
                           tuple(p.name for p in parts if isinstance(p, syntax.Column)), at=self.at(meta))

    def row(self, meta: Meta, parts: list[Any]) -> syntax.Row:
        return syntax.Row(parts[0], at=self.at(meta))

    def where(self, meta: Meta, parts: list[Any]) -> syntax.Where:
        return syntax.Where(parts[0], at=self.at(meta))

    def eval(self, meta: Meta, parts: list[Any]) -> syntax.Eval:
        return syntax.Eval(parts[0], at=self.at(meta))

    def keep(self, meta: Meta, parts: list[Any]) -> syntax.Keep:
        return syntax.Keep(tuple(parts), at=self.at(meta))

    def drop(self, meta: Meta, parts: list[Any]) -> syntax.Drop:
        return syntax.Drop(tuple(parts), at=self.at(meta))

    def rename(self, meta: Meta, parts: list[Any]) -> syntax.Rename:
        return syntax.Rename(tuple(parts), at=self.at(meta))

    def renamed_as(self, _meta: Meta, parts: list[Any]) -> tuple[syntax.Column, syntax.Column]:
        return parts[0], parts[1]

    def renamed_to(self, _meta: Meta, parts: list[Any]) -> tuple[syntax.Column, syntax.Column]:
        return parts[1], parts[0]

    def stats(self, meta: Meta, parts: list[Any]) -> syntax.Stats:
        if parts == [None, None]:
            raise EsqlError(self.at(meta), "stats computes nothing: an aggregate or a by is missing")
        return syntax.Stats(parts[0] or (), parts[1] or (), at=self.at(meta))

    def inline_stats(self, meta: Meta, parts: list[Any]) -> syntax.InlineStats:
        return syntax.InlineStats(parts[0], parts[1] or (), at=self.at(meta))

    def sort(self, meta: Meta, parts: list[Any]) -> syntax.Sort:
        return syntax.Sort(tuple(parts), at=self.at(meta))

    def order(self, meta: Meta, parts: list[Any]) -> syntax.Order:
        descending = parts[1] is not None and parts[1].lower() == "desc"
        nulls_first = parts[2].lower().endswith("first") if parts[2] else descending
        return syntax.Order(parts[0], descending, nulls_first, at=self.at(meta))

    def limit(self, meta: Meta, parts: list[Any]) -> syntax.Limit:
        return syntax.Limit(self._whole(parts[0]), at=self.at(meta))

    def mv_expand(self, meta: Meta, parts: list[Any]) -> syntax.MvExpand:
        return syntax.MvExpand(parts[0], at=self.at(meta))

    def dissect(self, meta: Meta, parts: list[Any]) -> syntax.Dissect:
        value, pattern, option, separator = parts
        if option is not None and option.lower() != "append_separator":
            raise EsqlError(self.token_at(option), f"dissect knows the option append_separator, not {option}")
        return syntax.Dissect(value, pattern.value, separator.value if separator else "", at=self.at(meta))

    def grok(self, meta: Meta, parts: list[Any]) -> syntax.Grok:
        return syntax.Grok(parts[0], tuple(p.value for p in parts[1:]), at=self.at(meta))

    def fields(self, _meta: Meta, parts: list[Any]) -> tuple[syntax.Named, ...]:
        return tuple(parts)

    def field(self, meta: Meta, parts: list[Any]) -> syntax.Named:
        name, expression = parts
        text = self.text[meta.start_pos:meta.end_pos]
        own = expression.name if isinstance(expression, syntax.Column) else text
        return syntax.Named(name.name if name else own, expression, at=self.at(meta))

    def aggregations(self, _meta: Meta, parts: list[Any]) -> tuple[syntax.Aggregation, ...]:
        return tuple(parts)

    def aggregation(self, meta: Meta, parts: list[Any]) -> syntax.Aggregation:
        return syntax.Aggregation(parts[0], parts[1], at=self.at(meta))

    # expressions

    def column_name(self, meta: Meta, parts: list[Any]) -> syntax.Column:
        return syntax.Column(_unquoted(parts[0]), at=self.at(meta))

    def column_pattern(self, meta: Meta, parts: list[Any]) -> syntax.Column:
        name = str(parts[0]) if parts[0].type == "NAME_PATTERN" else _unquoted(parts[0])
        return syntax.Column(name, at=self.at(meta))

    column = column_name

    def either(self, meta: Meta, parts: list[Any]) -> syntax.Logic:
        return syntax.Logic("or", tuple(parts), at=self.at(meta))

    def both(self, meta: Meta, parts: list[Any]) -> syntax.Logic:
        return syntax.Logic("and", tuple(parts), at=self.at(meta))

    def negated(self, meta: Meta, parts: list[Any]) -> syntax.Not:
        return syntax.Not(parts[-1], at=self.at(meta))

    def compared(self, meta: Meta, parts: list[Any]) -> syntax.Compare:
        return syntax.Compare(str(parts[1]), parts[0], parts[2], at=self.at(meta))

    def arithmetic(self, meta: Meta, parts: list[Any]) -> syntax.Arithmetic:
        return syntax.Arithmetic(str(parts[1]), parts[0], parts[2], at=self.at(meta))

    def _unless(self, negation: Token | None, test: syntax.Expression) -> syntax.Expression:
        return syntax.Not(test, at=test.at) if negation else test

    def among(self, meta: Meta, parts: list[Any]) -> syntax.Expression:
        return self._unless(parts[1], syntax.In(parts[0], parts[2], at=self.at(meta)))

    def like(self, meta: Meta, parts: list[Any]) -> syntax.Expression:
        return self._unless(parts[1], syntax.Like(parts[0], parts[2], False, at=self.at(meta)))

    def rlike(self, meta: Meta, parts: list[Any]) -> syntax.Expression:
        return self._unless(parts[1], syntax.Like(parts[0], parts[2], True, at=self.at(meta)))

    def is_null(self, meta: Meta, parts: list[Any]) -> syntax.Expression:
        return self._unless(parts[1], syntax.IsNull(parts[0], at=self.at(meta)))

    def patterns(self, _meta: Meta, parts: list[Any]) -> tuple[str, ...]:
        return tuple(p.value for p in parts)

    def sign(self, meta: Meta, parts: list[Any]) -> syntax.Expression:
        operand = parts[1]
        if parts[0] == "+":
            return operand  # type: ignore[no-any-return]
        if isinstance(operand, syntax.Literal) and isinstance(operand.value, int | float):
            return syntax.Literal(-operand.value, at=self.at(meta))
        return syntax.Negate(operand, at=self.at(meta))

    def cast(self, meta: Meta, parts: list[Any]) -> syntax.Cast:
        return syntax.Cast(parts[0], parts[1].lower(), at=self.at(meta))

    def call(self, meta: Meta, parts: list[Any]) -> syntax.Expression:
        call = syntax.Call(_unquoted(parts[0]).lower(), parts[1] or (), at=self.at(meta))
        return _condition(call) if call.name == "kql" else call

    def call_on_rows(self, meta: Meta, parts: list[Any]) -> syntax.Call:
        return syntax.Call(_unquoted(parts[0]).lower(), (), on_rows=True, at=self.at(meta))

    def arguments(self, _meta: Meta, parts: list[Any]) -> tuple[syntax.Expression, ...]:
        return tuple(parts)

    # constants

    def values(self, meta: Meta, parts: list[Any]) -> syntax.Literal:
        if len({type(p.value) for p in parts}) > 1:
            raise EsqlError(self.at(meta), "the values of one list must have one type")
        return syntax.Literal(tuple(p.value for p in parts), at=self.at(meta))

    def string(self, meta: Meta, parts: list[Any]) -> syntax.Literal:
        text = str(parts[0])
        if parts[0].type == "TRIPLE_QUOTED":
            return syntax.Literal(text[3:-3], at=self.at(meta))

        def plain(escape: re.Match[str]) -> str:
            if (found := _ESCAPES.get(escape[1])) is None:
                raise EsqlError(self.at(meta), f"no such escape in a string: \\{escape[1]}; "
                                'write \\\\ for a backslash, or use """ quotes')
            return found

        return syntax.Literal(re.sub(r"\\(.)", plain, text[1:-1]), at=self.at(meta))

    def integer(self, meta: Meta, parts: list[Any]) -> syntax.Literal:
        number = self._whole(parts[0])
        return syntax.Literal(number if number < 2**63 else float(number), at=self.at(meta))

    def decimal(self, meta: Meta, parts: list[Any]) -> syntax.Literal:
        return syntax.Literal(self._finite(parts[0]), at=self.at(meta))

    def timespan(self, meta: Meta, parts: list[Any]) -> syntax.Timespan:
        return syntax.Timespan(self._whole(parts[0]), parts[1].lower(), at=self.at(meta))

    def _whole(self, token: Token) -> int:
        self._finite(token)
        return int(token.lstrip("0") or "0")  # of any number of zeros, which int() does not take

    def _finite(self, token: Token) -> float:
        if (number := float(token)) == math.inf:
            raise EsqlError(self.token_at(token), "the number is too large")
        return number

    def true(self, meta: Meta, _parts: list[Any]) -> syntax.Literal:
        return syntax.Literal(True, at=self.at(meta))

    def false(self, meta: Meta, _parts: list[Any]) -> syntax.Literal:
        return syntax.Literal(False, at=self.at(meta))

    def null(self, meta: Meta, _parts: list[Any]) -> syntax.Literal:
        return syntax.Literal(None, at=self.at(meta))


def _condition(call: syntax.Call) -> syntax.Expression:
    """``kql("…")``: what its text says, all of it standing where the text does."""
    text = call.arguments[0] if len(call.arguments) == 1 else None
    if not isinstance(text, syntax.Literal) or not isinstance(text.value, str):
        raise EsqlError(call.at, "kql takes one string")
    return kql.parse(text.value, text.at)


_SIGNS = {"VBAR": "|", "COMMA": ",", "LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "EQUAL": "=", "$END": "end",
          "COMPARISON": "a comparison", "SIGN": "+ or -", "STAR": "*", "DIVISION": "/ or %", "INTEGER": "a number",
          "DECIMAL": "a number", "QUOTED": "a string", "TRIPLE_QUOTED": "a string", "NAME": "a name",
          "NAME_PATTERN": "a name", "SOURCE": "an index pattern", "DIRECTION": "asc or desc",
          "NULLS_PLACE": "nulls first or nulls last", "__ANON_0": "::"}
_VALUE = {"a number", "a string", "true", "false", "null", "[", "(", "+ or -"}
_OPERATION = {"a comparison", "+ or -", "*", "/ or %", "::", "(", "in", "is", "like", "rlike", "not", "and", "or"}
_OPERATORS = {"=": "a single = compares nothing; use ==", "&&": "&& is no operator; use and",
              "=~": "=~ is no operator; use like or rlike"}


def explained(text: str, error: UnexpectedInput) -> EsqlError:
    """The parser's error as a sentence: what stands there, and what was expected instead."""
    start = max(error.pos_in_stream or 0, 0)
    if isinstance(error, UnexpectedToken):
        start = len(text.rstrip()) if error.token.type == "$END" else error.token.start_pos or 0
        expected = error.accepts or error.expected
    else:
        expected = error.allowed if isinstance(error, UnexpectedCharacters) else set()
    at = Span(text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1, start, start + 1)
    found = (re.match(r"[\w@.]+|[=!<>&~]+|\S", text[start:]) or [""])[0]
    before = text[:start].rstrip()
    if before.endswith("|") and found == "|":
        return EsqlError(at, "|| is no operator; use or")
    if (not before or before.endswith("|")) and found:
        if found.lower() in REFUSED:
            return EsqlError(at, f"the command {found.upper()} is not supported")
        known = COMMANDS if before else ("from", "row")
        return EsqlError(at, f"no such command: {found}{nearest(found, known)} (expected {', '.join(known)})")
    if found == ":":
        return EsqlError(at, "the match operator : is not supported; use ==, like or rlike")
    if "COMPARISON" in expected and (better := _OPERATORS.get(found)):
        return EsqlError(at, better)
    if text[start - 1:start + 1] == "<>":
        return EsqlError(at, "<> is no operator; use !=")
    if found == "?":
        return EsqlError(at, "query parameters (?name) are not supported; write the value")
    if found == '"' and "NAME" in expected:
        return EsqlError(at, "the string is not closed on its line")
    if found == "'":
        return EsqlError(at, "strings stand in double quotes")
    return EsqlError(at, f"unexpected {found or 'end of the query'}; expected {_listed(set(expected))}")


def _listed(terminals: set[str]) -> str:
    words = {_SIGNS.get(t, t.lstrip("_").lower()) for t in terminals}
    if words >= {"a name", "a number", "a string"}:
        words = words - _VALUE - {"a name", "not"} | {"an expression"}
    if "a comparison" in words:
        words = words - _OPERATION | {"an operator"}
    return " or ".join(sorted(words)) or "nothing more"
