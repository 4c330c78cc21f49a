"""Parse each style sheet once for all apps of a process, and draw lines without caches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import textual.strip
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_parse_rules = Stylesheet._parse_rules


@cache
def _rules(variables: frozenset[tuple[str, str]], *source: Any) -> list[RuleSet]:
    return _parse_rules(Stylesheet(variables=dict(variables)), *source)


def _parse_once(
    sheet: Stylesheet,
    css: str,
    read_from: tuple[str, str],
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    variables = frozenset(sheet._variables.items())
    return _rules(variables, css, read_from, is_default_rules, tie_breaker, scope)


@pytest.fixture(scope="session", autouse=True)
def _parsed_style_sheets() -> Iterator[None]:
    """Share parsed rules, which are never modified: an app parses all its sheets four times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", _parse_once)
        yield


class _NoCache:
    """A cache that stores nothing."""

    def get(self, key: object, default: Any = None) -> Any:
        return default

    def __setitem__(self, key: object, value: object) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def _strips_without_caches() -> Iterator[None]:
    """Create no caches for lines: seven per line cost more than the few drawings in a test."""
    nothing = _NoCache()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textual.strip, "FIFOCache", lambda _size: nothing)
        yield
