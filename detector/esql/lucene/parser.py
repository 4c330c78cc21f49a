"""Parse a Lucene query into the syntax tree shared with ES|QL.

The semantics are those of Elasticsearch's ``query_string`` on keyword fields. Clauses are required
(``AND``, ``+``), prohibited (``NOT``, ``-``) or optional, as in Lucene's classic parser: next to a
required clause, an optional one has no effect, so ``a OR b AND c`` means ``b AND c``.
Source: Lucene's ``QueryParserBase.addClause``, Elasticsearch's ``QueryStringQueryParser``.
"""

from __future__ import annotations

from typing import NamedTuple

from detector.esql import ast
from detector.esql.errors import EsqlError, Span, too_deep
from detector.esql.field_checks import check_searchable
from detector.esql.lucene.tokens import LuceneToken, lucene_tokens, unescape
from detector.esql.tree_walk import join_conditions

_EXISTS = "_exists_"
_ORDERS = (">=", "<=", ">", "<")


def parse_lucene(text: str, outer: Span | None = None) -> ast.Expression:
    """Parse a query.

    ``outer`` is the query's span if it is embedded in another query. Raises EsqlError at the first
    position that is not a query supported by trailhound.
    """
    return _parse(text, outer)[0]


def idle_clauses(text: str) -> list[Span]:
    """Return the spans of optional clauses that have no effect because others are required."""
    return _parse(text)[1]


def _parse(text: str, outer: Span | None = None) -> tuple[ast.Expression, list[Span]]:
    parser = _Parser(_tokens(text, outer))
    try:
        condition = parser.clauses(None)
    except RecursionError:
        raise too_deep() from None
    if parser.peek().kind != "end":
        raise _unexpected(parser.peek(), "AND, OR, or the end of the query")
    return condition, parser.idle


def _tokens(text: str, outer: Span | None) -> list[LuceneToken]:
    if outer is None:
        return lucene_tokens(text)
    try:
        return [token._replace(span=outer) for token in lucene_tokens(text)]
    except EsqlError as error:
        raise EsqlError(outer, error.message) from None


class _Clause(NamedTuple):
    """A clause of a group; ``occur`` is Lucene's ``must``, ``should`` or ``must_not``."""

    occur: str
    condition: ast.Expression


class _Parser:
    """A recursive-descent parser; ``field`` arguments are the field to which a group applies."""

    def __init__(self, tokens: list[LuceneToken]) -> None:
        self.tokens = tokens
        self.index = 0
        self.idle: list[Span] = []
        """The spans of optional clauses next to required ones."""

    def peek(self, ahead: int = 0) -> LuceneToken:
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def take(self) -> LuceneToken:
        token = self.peek()
        self.index += 1
        return token

    def clauses(self, field: ast.Column | None) -> ast.Expression:
        """Parse clauses up to the end or a closing bracket."""
        start = self.peek().span
        clauses: list[_Clause] = []
        conjunction = ""
        while True:
            modifier = self.modifier()
            condition = self.clause(field)
            _add_clause(clauses, conjunction, modifier, condition)
            if self.peek().kind in ("end", ")"):
                if any(clause.occur == "must" for clause in clauses):
                    self.idle += [each.condition.span for each in clauses if each.occur == "should"]
                return _joined(clauses, start)
            conjunction = ""
            if self.peek().kind in ("and", "or"):
                conjunction = self.take().kind

    def modifier(self) -> str:
        kinds = {"plus": "must", "minus": "must_not", "not": "must_not"}
        if self.peek().kind in kinds:
            return kinds[self.take().kind]
        return ""

    def clause(self, field: ast.Column | None) -> ast.Expression:
        """Parse a condition or a group, and skip the boost after it."""
        token = self.peek()
        if token.kind in ("term", "wildcard") and self.peek(1).kind == ":":
            field = self.field()
            token = self.peek()
        elif token.kind == "term":
            self.refuse_words_side_by_side()
        if token.kind == "(":
            self.take()
            condition = self.clauses(field)
            if self.peek().kind != ")":
                raise _unexpected(self.peek(), ")")
            self.take()
        else:
            condition = self.value(field)
        self.skip_boost()
        return condition

    def skip_boost(self) -> None:
        """Skip a boost, which only affects scoring. Raises EsqlError for a fuzzy term."""
        if self.peek().kind == "fuzzy":
            raise EsqlError(
                self.peek().span, "~ (fuzzy terms, words near each other) is not supported"
            )
        if self.peek().kind == "boost":
            self.take()

    def field(self) -> ast.Column:
        token = self.take()
        self.take()  # the colon
        if token.kind == "wildcard" and token.text != "*":
            raise EsqlError(
                token.span, f"* or ? in the name of a field ({token.text}) is not supported"
            )
        return ast.Column(unescape(token.text), span=token.span)

    def value(self, field: ast.Column | None) -> ast.Expression:
        token = self.take()
        if token.kind not in ("term", "wildcard", "quoted", "regex", "range"):
            raise _unexpected(token, "a value" if field else "a condition such as field:value")
        if field is None:
            raise EsqlError(
                token.span,
                f"{token.text} names no field: free text is not supported, write field:value",
            )
        if field.name == "*":
            if token.text == "*":
                return ast.Literal(True, span=token.span)
            raise EsqlError(field.span, "a value of any field (*) is not supported; name the field")
        if field.name == _EXISTS:
            return _exists(token)
        return _field_condition(field, token)

    def refuse_words_side_by_side(self) -> None:
        """Raise EsqlError for adjacent words: Lucene reads them as one value with a blank."""
        token, following = self.peek(), self.peek(1)
        if following.kind == "term" and self.peek(2).kind != ":":
            both = f"{token.text} {following.text}"
            raise EsqlError(
                token.span, f'{both} are one value in Lucene: write "{both}", or OR between them'
            )


def _unexpected(token: LuceneToken, expected: str) -> EsqlError:
    shown = token.text or "end of the query"
    return EsqlError(token.span, f"unexpected {shown}; expected {expected}")


def _add_clause(
    clauses: list[_Clause], conjunction: str, modifier: str, condition: ast.Expression
) -> None:
    """Add a clause; an AND also makes the previous clause required."""
    if conjunction == "and" and clauses and clauses[-1].occur == "should":
        clauses[-1] = clauses[-1]._replace(occur="must")
    occur = modifier
    if not occur:
        occur = "must" if conjunction == "and" else "should"
    clauses.append(_Clause(occur, condition))


def _joined(clauses: list[_Clause], span: Span) -> ast.Expression:
    """Build the condition of a group of clauses."""
    required = [clause.condition for clause in clauses if clause.occur == "must"]
    if not required:
        optional = [clause.condition for clause in clauses if clause.occur == "should"]
        if optional:
            required.append(join_conditions("or", optional, span))
    required += [
        ast.Not(clause.condition, span=clause.condition.span)
        for clause in clauses
        if clause.occur == "must_not"
    ]
    return join_conditions("and", required, span)


def _exists(token: LuceneToken) -> ast.Expression:
    if token.kind not in ("term", "quoted"):
        raise EsqlError(token.span, f"{_EXISTS} takes the name of one field, not {token.text}")
    name = ast.Column(unescape(_unquoted(token.text)), span=token.span)
    return ast.FieldMatch(name, "exists", "", span=token.span)


def _field_condition(field: ast.Column, token: LuceneToken) -> ast.Expression:
    if token.text == "*":
        return ast.FieldMatch(field, "exists", "", span=field.span)
    check_searchable(field)
    match token.kind:
        case "regex":
            return ast.FieldMatch(field, "regexp", token.text[1:-1], span=token.span)
        case "wildcard":
            return ast.FieldMatch(field, "*", token.text, span=token.span)
        case "range":
            return _range(field, token)
        case "quoted":
            return ast.FieldMatch(field, ":", unescape(_unquoted(token.text)), span=token.span)
    value = unescape(token.text)
    for order in _ORDERS:
        if value.startswith(order) and len(value) > len(order):
            return ast.FieldMatch(field, order, value[len(order) :], span=token.span)
    return ast.FieldMatch(field, ":", value, span=token.span)


def _range(field: ast.Column, token: LuceneToken) -> ast.Expression:
    """Build a range condition; ``*`` is an open end, and both kinds of brackets can be mixed."""
    bounds: list[tuple[str, str]] = []
    low, high = token.bounds
    if low != "*":
        bounds.append((">=" if token.text[0] == "[" else ">", unescape(_unquoted(low))))
    if high != "*":
        bounds.append(("<=" if token.text[-1] == "]" else "<", unescape(_unquoted(high))))
    if not bounds:
        return ast.FieldMatch(field, "exists", "", span=token.span)
    return ast.RangeMatch(field, tuple(bounds), span=token.span)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text
