"""Split a Lucene query into tokens.

Source: the grammar of Lucene's classic query parser. AND, OR and NOT must be in upper case.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from detector.esql.errors import EsqlError, Span, span_at
from detector.text.late_pattern import late_pattern

_SPECIAL = r'\s\u3000+\-!():^\[\]"{}~*?\\/'
_START = rf"(?:[^{_SPECIAL}]|\\.)"
_INNER = rf"(?:[^{_SPECIAL}]|\\.|[+-])"
_TOKEN = late_pattern(
    rf"""
    (?P<blank>[\s\u3000]+)
    |(?P<quoted>"(?:\\.|[^"\\])*")
    |(?P<regex>/(?:\\/|[^/])*/)
    |(?P<range>[\[{{]\s*(?P<low>"(?:\\.|[^"\\])*"|[^\s\]}}]+)\s+(?:TO\s+)?
        (?P<high>"(?:\\.|[^"\\])*"|[^\s\]}}]+)\s*[\]}}])
    |(?P<term>(?:{_START}|[*?])(?:{_INNER}|[*?])*)
    |(?P<sign>[+\-!():])
    |(?P<fuzzy>~[0-9.]*)
    |(?P<boost>\^[0-9.]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = late_pattern(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_WORDS = {"AND": "and", "&&": "and", "OR": "or", "||": "or", "NOT": "not"}
_SIGNS = {"!": "not", "+": "plus", "-": "minus"}


class LuceneToken(NamedTuple):
    """A token.

    ``kind`` is the name of a group in ``_TOKEN``, a sign or its name, ``and``, ``or``, ``not`` or
    ``end``; a term with ``*`` or ``?`` is a ``wildcard``."""

    kind: str
    text: str
    span: Span
    bounds: tuple[str, str] = ("", "")
    """The lower and upper end of a range."""


def lucene_tokens(text: str) -> list[LuceneToken]:
    """Split a query into tokens; the last has the kind ``end``. Raises EsqlError."""
    tokens: list[LuceneToken] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unexpected(text, position)
        if match.lastgroup != "blank":
            tokens.append(_token(text, match))
        position = match.end()
    tokens.append(LuceneToken("end", "", span_at(text, len(text.rstrip()), len(text))))
    return tokens


def _token(text: str, match: re.Match[str]) -> LuceneToken:
    kind = next(name for name, part in match.groupdict().items() if part is not None)
    written = match[0]
    if kind == "term":
        kind = _WORDS.get(written, kind)
        if re.search(r"[*?]", _ESCAPE.sub("", written)):
            kind = "wildcard"
    elif kind == "sign":
        kind = _SIGNS.get(written, written)
    span = span_at(text, match.start(), match.end())
    return LuceneToken(kind, written, span, (match["low"] or "", match["high"] or ""))


def _unexpected(text: str, position: int) -> EsqlError:
    character = text[position]
    span = span_at(text, position, len(text))
    messages = {
        '"': "the string is not closed",
        "/": "the regular expression is not closed; write \\/ for the character",
        "[": "no range: write [low TO high]",
        "{": "no range: write {low TO high}",
        "\\": "nothing stands after \\",
    }
    return EsqlError(span, messages.get(character, f"unexpected {character}"))


def unescape(text: str) -> str:
    """Remove the backslashes that escape characters in a term; decode ``\\uXXXX``."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)
