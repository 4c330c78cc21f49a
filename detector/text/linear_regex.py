"""Match regular expressions in time linear in the text, by RE2.

Texts of logs are hostile: an engine that backtracks takes years over a text written for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

MAX_MEMORY = 1 << 23
"""Bytes that the program and the automaton of one expression may take."""
_MEMORY_PER_LETTER = 200  # at least what RE2 needs for a long expression without repetitions
_SURROGATE = re.compile("[\ud800-\udfff]")
_STANDS_FOR_SURROGATE = "\U0010ffff"


def compile_regex(pattern: str) -> Any:
    """Compile an expression in RE2's syntax.

    The result has the methods of ``re.Pattern``. Raises ValueError where it is too large.
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
    """Replace lone surrogates, which UTF-8 cannot hold, by a private character."""
    return _SURROGATE.sub(_STANDS_FOR_SURROGATE, text)


def full_matcher(pattern: str) -> Callable[[str], bool]:
    """Compile an expression of RE2 to a test of a whole text."""
    fullmatch = compile_regex(pattern).fullmatch

    def matches(text: str) -> bool:
        try:
            data = text.encode()  # bytes spare RE2's wrapper the counting of characters
        except UnicodeEncodeError:
            data = encodable(text).encode()
        return fullmatch(data) is not None

    return matches


def contains_any(
    substrings: Sequence[bytes], ignores_case: bool
) -> Callable[[bytes | memoryview], bool]:
    """Return a test of whether data has one of some ASCII texts."""
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

    Each letter comes with whether it is a wildcard.
    """
    parts = {"*": "(?s:.*)", "?": "(?s:.)"}
    return "".join(parts[letter] if wild else re.escape(letter) for letter, wild in letters)
