"""LIKE's wildcards and RLIKE's regular expressions, as Python's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from detector.rules.errors import EsqlError, Span


def matcher(patterns: Sequence[str], regular: bool, at: Span) -> Callable[[str], bool]:
    """Whether a text matches one of ``patterns`` as a whole. Raises EsqlError for what is no such pattern."""
    translate = regular_expression if regular else wildcard
    try:
        compiled = re.compile("|".join(f"(?:{translate(pattern)})" for pattern in patterns), re.DOTALL)
    except (ValueError, re.error, OverflowError) as error:
        raise EsqlError(at, f"{'rlike' if regular else 'like'}: {error}") from None
    return lambda text: compiled.fullmatch(text) is not None


def wildcard(pattern: str) -> str:
    """A pattern of LIKE: ``*`` any text, ``?`` one character, ``\\`` takes what follows as it is.

    What stands between two stars is looked for once from the left (an atomic group), so that no text, however
    hostile, takes more than a pass.
    """
    pieces = [""]
    for taken, star, mark, plain in re.findall(r"\\(.)|(\*)|(\?)|(.)", pattern, re.DOTALL):
        if star:
            pieces.append("")
        else:
            pieces[-1] += "." if mark else re.escape(taken or plain)
    first, *rest = pieces
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + ".*" + last


def regular_expression(pattern: str) -> str:
    """A pattern of RLIKE, which is Lucene's language, and always means the whole text.

    There ``^`` and ``$`` are plain characters, ``@`` is any text, ``#`` matches nothing, ``"…"`` is taken as it is,
    and a quantifier applies to what it follows even if that is quantified. Raises ValueError.
    Source: Lucene's documentation of ``RegExp``.
    """
    reader = _Lucene(pattern)
    translated = reader.union()
    if reader.place < len(pattern):
        raise ValueError(f"unexpected {pattern[reader.place]} at character {reader.place + 1} of the pattern")
    return translated


_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r"}
_UNSUPPORTED = {"~": "complement (~)", "&": "intersection (&)", "<": "a numeric interval (<)"}


class _Lucene:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0

    def peek(self) -> str:
        return self.pattern[self.place:self.place + 1]

    def take(self) -> str:
        if not (found := self.peek()):
            raise ValueError("the pattern ends too early")
        self.place += 1
        return found

    def union(self) -> str:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.take()
            branches.append(self.sequence())
        return "|".join(branches)

    def sequence(self) -> str:
        parts = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated())
        return "".join(parts)

    def repeated(self) -> str:
        atom = self.atom()
        while (quantifier := self.peek()) and quantifier in "?*+{":
            if quantifier == "{":
                found = re.compile(r"\{(\d+)(,(\d*))?\}").match(self.pattern, self.place)
                if not found:
                    raise ValueError("{ must be followed by {n}, {n,} or {n,m}; write \\{ for the character")
                quantifier = found[0]
            self.place += len(quantifier)
            atom = f"(?:{atom}){quantifier}"
        return atom

    def atom(self) -> str:
        character = self.take()
        if character in _UNSUPPORTED:
            raise ValueError(f"{_UNSUPPORTED[character]} is not supported; write \\{character} for the character")
        if character == "(":
            inner = self.union()
            if self.peek() != ")":
                raise ValueError("a ) is missing")
            self.take()
            return f"(?:{inner})"
        if character == "[":
            return self.set()
        if character == "\\":
            escaped = self.take()
            if inside := _CLASSES.get(escaped.lower()):
                return f"[{'^' if escaped.isupper() else ''}{inside}]"
            return re.escape(escaped)
        if character == '"':
            text, quote, _ = self.pattern[self.place:].partition('"')
            if not quote:
                raise ValueError('a closing " is missing; write \\" for the character')
            self.place += len(text) + 1
            return f"(?:{re.escape(text)})"
        if character in "?*+{":
            raise ValueError(f"nothing stands before {character}")
        return {".": ".", "@": "(?:.*)", "#": "(?!)"}.get(character) or re.escape(character)

    def set(self) -> str:
        """After ``[``: characters and ranges up to ``]``."""
        negated = self.peek() == "^"
        if negated:
            self.take()
        parts: list[str] = []
        while self.peek() != "]" or not parts:
            if self.peek() == "\\" and (inside := _CLASSES.get(self.pattern[self.place + 1:self.place + 2])):
                self.place += 2
                parts.append(inside)
                continue
            low = self.member()
            if self.peek() == "-" and self.pattern[self.place + 1:self.place + 2] not in ("]", ""):
                self.take()
                parts.append(f"{low}-{self.member()}")
            else:
                parts.append(low)
        self.take()
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def member(self) -> str:
        character = self.take()
        return re.escape(self.take() if character == "\\" else character)
