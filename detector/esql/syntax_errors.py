"""Turn lark's errors in ES|QL into EsqlErrors."""

from __future__ import annotations

import re
from collections.abc import Collection

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from detector.esql.errors import EsqlError, span_at
from detector.text.late_pattern import late_pattern
from detector.text.suggest import nearest

SUPPORTED_COMMANDS = (
    "where",
    "eval",
    "keep",
    "drop",
    "rename",
    "stats",
    "inline stats",
    "sort",
    "limit",
    "mv_expand",
    "dissect",
    "grok",
    "enrich",
    "lookup join",
)
UNSUPPORTED_COMMANDS = (
    "fork",
    "fuse",
    "change_point",
    "completion",
    "rerank",
    "sample",
    "show",
    "metrics",
    "ts",
    "ts_info",
    "metrics_info",
    "promql",
    "set",
    "mmr",
    "insist",
    "explain",
    "registered_domain",
    "uri_parts",
    "user_agent",
    "dedup",
    "eql",
    "highlight",
    "ip_location",
)
"""ES|QL commands that are rejected by name."""
_REMEDIES = {
    "change_point": (
        ": it wants all buckets of time at once; compare buckets by a second stats, such as "
        "stats most = max(n), mean = avg(n) | where most > 3 * mean"
    ),
    "fork": ": write a query for each branch",
    "fuse": ": write a query for each branch",
    "completion": ": a model of language lies in Elasticsearch; leave it out, with what reads it",
    "rerank": ": a model of language lies in Elasticsearch; sort by a column",
    "sample": ": which events it leaves is left to chance; leave it out",
    "mmr": ": it works on vectors, and CloudTrail has none",
    "ts": ": it reads metrics; use from",
    "promql": ": it reads metrics; use from",
    "metrics_info": ": it describes metrics, and CloudTrail has none",
    "ts_info": ": it describes metrics, and CloudTrail has none",
    "registered_domain": ": use dissect, grok or split",
    "uri_parts": ": use dissect, grok or split",
    "dedup": ": use stats by the columns",
    "eql": ": write the whole query in EQL",
    "highlight": ": it marks what a search finds for people; leave it out",
    "ip_location": ": it reads databases of Elasticsearch; enrich by a table of yours",
    "user_agent": ": user_agent.name and user_agent.original are fields already",
}
"""What to do instead of using an unsupported command."""

_SIGNS = {
    "VBAR": "|",
    "COMMA": ",",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "EQUAL": "=",
    "$END": "end",
    "COMPARISON": "a comparison",
    "SIGN": "+ or -",
    "STAR": "*",
    "DIVISION": "/ or %",
    "INTEGER": "a number",
    "DECIMAL": "a number",
    "QUOTED": "a string",
    "TRIPLE_QUOTED": "a string",
    "NAME": "a name",
    "NAME_PATTERN": "a name",
    "SOURCE": "an index pattern",
    "DIRECTION": "asc or desc",
    "NULLS_PLACE": "nulls first or nulls last",
    "__ANON_0": "::",
    "COLON": ":",
}
_VALUE = {"a number", "a string", "true", "false", "null", "[", "(", "+ or -"}
_OPERATION = {
    "a comparison",
    "+ or -",
    "*",
    "/ or %",
    "::",
    ":",
    "(",
    "in",
    "is",
    "like",
    "rlike",
    "not",
    "and",
    "or",
}
_LIMIT = late_pattern(r"\|\s*limit\s+\d+$", re.IGNORECASE)
_OPERATORS = {
    "=": "a single = compares nothing; use ==",
    "&&": "&& is not an operator; use and",
    "=~": "=~ is not an operator; use like or rlike",
}


def explain_error(text: str, error: UnexpectedInput) -> EsqlError:
    """Turn lark's error into an EsqlError that says what was expected."""
    start, expected = _error_position(text, error)
    span = span_at(text, start, start + 1)
    word = (re.match(r"[\w@.]+|[=!<>&~]+|\S", text[start:]) or [""])[0]
    before = text[:start].rstrip()
    if before.endswith("|") and word == "|":
        return EsqlError(span, "|| is not an operator; use or")
    if (not before or before.endswith("|")) and word:
        if word.lower() in UNSUPPORTED_COMMANDS:
            remedy = _REMEDIES.get(word.lower(), "")
            return EsqlError(span, f"the command {word.upper()} is not supported{remedy}")
        commands = SUPPORTED_COMMANDS if before else ("from", "row")
        return EsqlError(
            span,
            f"no such command: {word}{nearest(word, commands)} (expected {', '.join(commands)})",
        )
    if word.lower() == "by" and _LIMIT.search(before):
        return EsqlError(
            span,
            "limit for each group is not supported; use top(), first() or last() in stats by",
        )
    if word in _OPERATORS and not {"COMPARISON", "_AND"}.isdisjoint(expected):
        return EsqlError(span, _OPERATORS[word])
    if text[start - 1 : start + 1] == "<>":
        return EsqlError(span, "<> is not an operator; use !=")
    if word == "{":
        return EsqlError(span, "options in { } are not supported; leave them out")
    if word == "?":
        return EsqlError(span, "query parameters (?name) are not supported; write the value")
    if word == '"' and "NAME" in expected:
        return EsqlError(span, "the string is not closed on its line")
    if word == "'":
        return EsqlError(span, "strings stand in double quotes")
    shown = word or "end of the query"
    return EsqlError(span, f"unexpected {shown}; expected {_expectation(set(expected))}")


def _error_position(text: str, error: UnexpectedInput) -> tuple[int, Collection[str]]:
    """Return an error's offset and the terminals that were expected there."""
    if isinstance(error, UnexpectedToken):
        expected = error.accepts or error.expected
        if error.token.type == "$END":
            return len(text.rstrip()), expected
        return error.token.start_pos or 0, expected
    start = max(error.pos_in_stream or 0, 0)
    if isinstance(error, UnexpectedCharacters):
        return start, error.allowed
    return start, set()


def _expectation(terminals: set[str]) -> str:
    words = {_SIGNS.get(t, t.lstrip("_").lower()) for t in terminals}
    if words >= {"a name", "a number", "a string"}:
        words = words - _VALUE - {"a name", "not"} | {"an expression"}
    if "and" in words:
        words = words - _OPERATION | {"an operator"}
    return " or ".join(sorted(words)) or "nothing more"
