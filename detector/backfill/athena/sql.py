"""Literals and names in Athena's SQL dialect (Trino's)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,127}")


class SqlError(ValueError):
    """Athena would reject a text; the message says why."""


def literal(text: str) -> str:
    """Return a string literal. Raises SqlError for control characters."""
    if not text.isprintable():
        raise SqlError(f"{text!r}: a control character in it")
    return "'" + text.replace("'", "''") + "'"


def literal_list(texts: Iterable[str]) -> str:
    """Return literals in parentheses, sorted."""
    return "(" + ", ".join(map(literal, sorted(texts))) + ")"


def check_name(text: str, what: str) -> str:
    """Return the name of a database or table. Raises SqlError if Athena does not allow the name."""
    if not _NAME.fullmatch(text):
        raise SqlError(f"{what} {text!r}: lower-case letters, digits and _ make a name of Athena")
    return text


def any_of(conditions: Iterable[str]) -> str:
    """Join conditions with OR, in parentheses."""
    return "(" + "\n    OR ".join(conditions) + ")"
