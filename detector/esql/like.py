"""Compile the patterns of LIKE, RLIKE, KQL and EQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from detector.esql import lucene_regex
from detector.esql.errors import EsqlError, Span
from detector.text.linear_regex import encodable, full_matcher, glob_regex

_TOKENS = re.compile(r"\\(.)|(.)", re.DOTALL)


def matcher(
    patterns: Sequence[str], regular: bool, span: Span, ignore_case: bool = False
) -> Callable[[str], bool]:
    """Compile patterns to a test whether one of them matches a whole text.

    ``regular`` patterns are those of RLIKE. Raises EsqlError at ``span`` for an invalid pattern.
    """
    if len(patterns) == 1 and not regular and not ignore_case:
        test = _test_of_parts(patterns[0])
        if test is not None:
            return test
    translate = wildcard
    if regular:
        translate = lucene_regex.translate
    try:
        expression = "|".join(f"(?:{translate(pattern)})" for pattern in patterns)
        if ignore_case:
            expression = f"(?i:{expression})"
        return full_matcher(expression)
    except ValueError as error:
        operator = "rlike" if regular else "like"
        raise EsqlError(span, f"{operator}: {error}") from None


def escape_wildcards(text: str) -> str:
    """Return the LIKE pattern that matches only ``text``."""
    return re.sub(r"([\\*?])", r"\\\1", text)


def wildcard(pattern: str) -> str:
    """Translate a LIKE pattern to RE2's syntax.

    ``*`` matches any text, ``?`` one character; ``\\`` escapes the next character.
    """
    return glob_regex(
        (escaped or plain, not escaped and plain in ("*", "?"))
        for escaped, plain in _TOKENS.findall(pattern)
    )


def _test_of_parts(pattern: str) -> Callable[[str], bool] | None:
    """Compile a pattern such as ``a``, ``a*``, ``*a``, ``a*b`` or ``*a*``; None for others.

    Most patterns have such a form and need no automaton."""
    parts = [""]
    for escaped, plain in _TOKENS.findall(pattern):
        if plain == "?":
            return None
        if plain == "*":
            parts.append("")
        else:
            parts[-1] += escaped or plain
    if _has_surrogate(pattern):
        return None
    match parts:
        case [whole]:
            return lambda text: text == whole
        case [before, after]:
            shortest = len(before) + len(after)
            return lambda text: (
                text.startswith(before) and text.endswith(after) and len(text) >= shortest
            )
        case ["", inner, ""]:
            return lambda text: inner in text
    return None


def _has_surrogate(pattern: str) -> bool:
    """Tell whether a pattern has a character that represents several characters to RE2."""
    return encodable(pattern) != pattern or "\U0010ffff" in pattern
