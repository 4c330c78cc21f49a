"""Regular expressions that are compiled when they are first asked, and not when they are imported.

A scan imports a hundred of them, which takes 20 ms, and asks a few.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


def late_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what has the methods and attributes of the compiled pattern, but not its type."""
    return cast("re.Pattern[AnyStr]", _LatePattern(pattern, flags))


class _LatePattern:
    """What stands for a pattern: each attribute is taken from it once, and then its own."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._arguments = pattern, flags

    def __reduce__(self) -> tuple[type[_LatePattern], tuple[Any, int]]:
        # What is copied or unpickled is made anew: without its arguments it would ask itself for
        # them.
        return _LatePattern, self._arguments

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(re.compile(*self._arguments), name)
        setattr(self, name, attribute)
        return attribute
