"""Regular expressions that are compiled on first use rather than on import.

A scan imports a hundred of them, whose compilation takes 20 ms, and uses only a few.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


def late_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a stand-in with the compiled pattern's methods and attributes, but another type."""
    return cast("re.Pattern[AnyStr]", _LatePattern(pattern, flags))


class _LatePattern:
    """A stand-in that copies each attribute from the compiled pattern on first use."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._arguments = pattern, flags

    def __reduce__(self) -> tuple[type[_LatePattern], tuple[Any, int]]:
        # Copying and unpickling call the constructor: an instance without ``_arguments`` would
        # look them up through ``__getattr__`` without end.
        return _LatePattern, self._arguments

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(re.compile(*self._arguments), name)
        setattr(self, name, attribute)
        return attribute
