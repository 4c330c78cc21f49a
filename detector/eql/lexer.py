"""Split EQL text into tokens.

Source: Elasticsearch's EQL syntax reference.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, NoReturn

from detector.esql.errors import EsqlError, Span, span_at
from detector.text.late_pattern import late_pattern

TokenKind = Literal["name", "quoted-name", "string", "number", "sign", "end"]

_RESERVED = """
and any by false in in~ join like like~ maxspan not null of or regex regex~ sample sequence
true until where with
"""
RESERVED_WORDS = frozenset(_RESERVED.split())
"""Keywords; in lower case they cannot name a field."""


def _comment(depth: int) -> str:
    """Return a regex for comments nested up to ``depth`` levels."""
    inner = r"[^*/]|\*(?!/)|/(?!\*)"
    if depth:
        inner = f"{inner}|{_comment(depth - 1)}"
    return rf"/\*(?:{inner})*\*/"


_TOKEN = late_pattern(
    rf"(?P<blank>\s+|//[^\n]*|{_comment(3)}|/\*.*?\*/)"
    r'|(?P<raw>"""(?:.*?)"""+)'
    r'|(?P<string>"(?:\\.|[^"\\\r\n])*")'
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_@][A-Za-z0-9_]*~?)"
    r"|(?P<backticks>`(?:[^`]|``)+`)"
    r"|(?P<sign>==|!=|<=|>=|[<>:=!+\-*/%.,()\[\]|?])",
    re.DOTALL,
)
_ESCAPE = late_pattern(r"\\(?:u\{([0-9A-Fa-f]{2,8})\}|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\", '"': '"'}


class Token(NamedTuple):
    """A token; ``text`` is the unquoted content of a string or quoted name."""

    kind: TokenKind
    text: str
    span: Span


def tokenize(text: str) -> list[Token]:
    """Split a query into tokens; the last is an end token. Raises EsqlError for invalid text."""
    tokens: list[Token] = []
    index = 0
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            _refuse(text, index)
        token = _token(match, span_at(text, *match.span()))
        if token is not None:
            tokens.append(token)
        index = match.end()
    end = len(text.rstrip())
    tokens.append(Token("end", "", span_at(text, end, end)))
    return tokens


def _token(match: re.Match[str], span: Span) -> Token | None:
    text = match[0]
    match match.lastgroup:
        case "blank":
            return None
        case "raw":
            return Token("string", text[3:-3], span)
        case "string":
            return Token("string", _unescaped(text[1:-1], span), span)
        case "backticks":
            return Token("quoted-name", text[1:-1].replace("``", "`"), span)
        case "number":
            return Token("number", text, span)
        case "name":
            return Token("name", text, span)
    return Token("sign", text, span)


def _unescaped(text: str, span: Span) -> str:
    def replaced(match: re.Match[str]) -> str:
        code, letter = match.groups()
        if code:
            number = int(code, 16)
            if number <= 0x10FFFF:
                return chr(number)
        elif letter in _ESCAPED:
            return _ESCAPED[letter]
        raise EsqlError(span, f"{match[0]} is no escape sequence; write \\\\ for a backslash")

    return _ESCAPE.sub(replaced, text)


def _refuse(text: str, index: int) -> NoReturn:
    """Raise an EsqlError that explains why the text at ``index`` is not a token."""
    messages = {
        '"': "the string is not closed on its line",
        "'": "strings stand in double quotes",
        "`": "the quoted name is not closed",
        "&": "& is no operator; use and",
        "~": "~ stands right after in, like, regex or the name of a function",
    }
    message = messages.get(text[index], f"unexpected {text[index]}")
    if text.startswith("/*", index):
        message = "the comment is not closed"
    raise EsqlError(span_at(text, index, index + 1), message)
