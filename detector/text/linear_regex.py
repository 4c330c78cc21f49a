"""Regular expression matching in linear time, by RE2.

Log text is hostile: a backtracking engine can take years over a text crafted for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

MAX_MEMORY = 1 << 23
"""Bytes that one expression's program and automaton may take."""
_MEMORY_PER_LETTER = 200  # enough for a long expression without repetitions
_SURROGATE = re.compile("[\ud800-\udfff]")
_STANDS_FOR_SURROGATE = "\U0010ffff"


def compile_regex(pattern: str) -> Any:
    """Compile an expression in RE2's syntax.

    The result has the methods of ``re.Pattern``. Raises ValueError if the expression is too large.
    """
    import re2

    options = re2.Options()
    options.max_mem = max(MAX_MEMORY, _MEMORY_PER_LETTER * len(pattern))
    options.log_errors = False
    try:
        return re2.compile(encodable(pattern), options)
    except re2.error:
        raise ValueError("the pattern is too large") from None


def encodable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, with a private character."""
    return _SURROGATE.sub(_STANDS_FOR_SURROGATE, text)


def full_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test of whether a whole text matches an RE2 expression."""
    fullmatch = compile_regex(pattern).fullmatch

    def matches(text: str) -> bool:
        try:
            data = text.encode()  # with bytes, RE2's wrapper need not count characters
        except UnicodeEncodeError:
            data = encodable(text).encode()
        return fullmatch(data) is not None

    return matches


def contains_any(
    substrings: Sequence[bytes], ignores_case: bool
) -> Callable[[bytes | memoryview], bool]:
    """Return a test of whether data contains any of the given ASCII substrings."""
    import re2

    if not substrings:
        return lambda _: False
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not ignores_case
    options.never_capture = True
    options.max_mem = max(MAX_MEMORY, _MEMORY_PER_LETTER * sum(map(len, substrings)))
    search = re2.compile(b"|".join(map(re.escape, substrings)), options).search
    return lambda data: search(data) is not None


def glob_regex(letters: Iterable[tuple[str, bool]]) -> str:
    """Translate a glob to RE2's syntax.

    Each letter is paired with whether it is a wildcard.
    """
    parts = {"*": "(?s:.*)", "?": "(?s:.)"}
    return "".join(parts[letter] if wild else re.escape(letter) for letter, wild in letters)
