"""Match the patterns of LIKE, RLIKE, KQL and EQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from detector.esql import lucene_regex
from detector.esql.errors import EsqlError, Span
from detector.text.linear_regex import full_matcher, glob_regex


def matcher(
    patterns: Sequence[str], regular: bool, span: Span, ignore_case: bool = False
) -> Callable[[str], bool]:
    """Compile patterns to a test of a whole text.

    One of them must match. ``regular`` patterns are those of RLIKE. Raises EsqlError at ``span``
    for an invalid pattern.
    """
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
    """Return the pattern of LIKE that only ``text`` matches."""
    return re.sub(r"([\\*?])", r"\\\1", text)


def wildcard(pattern: str) -> str:
    """Translate a pattern of LIKE to RE2's syntax.

    ``*`` is any text, ``?`` one character; ``\\`` takes what follows as it is.
    """
    tokens = re.findall(r"\\(.)|(.)", pattern, re.DOTALL)
    return glob_regex(
        (escaped or plain, not escaped and plain in ("*", "?")) for escaped, plain in tokens
    )
