"""The patterns of LIKE, RLIKE and KQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from detector.esql.errors import EsqlError, Span
from detector.esql.lucene_regex import automaton


def matcher(patterns: Sequence[str], regular: bool, span: Span) -> Callable[[str], bool]:
    """Whether a text matches one of ``patterns`` as a whole. Raises EsqlError for what is no such
    pattern."""
    if regular:
        try:
            return automaton(patterns)
        except ValueError as error:
            raise EsqlError(span, f"rlike: {error}") from None
    compiled = re.compile("|".join(f"(?:{wildcard(pattern)})" for pattern in patterns), re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def wildcard(pattern: str) -> str:
    """A pattern of LIKE: ``*`` any text, ``?`` one character, ``\\`` takes what follows as it is.

    What stands between two stars is looked for once from the left (an atomic group), so that no
    text, however hostile, takes more than a pass."""
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
