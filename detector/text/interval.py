"""Parse intervals such as ``12h``, ``7d`` and ``2w``."""

from __future__ import annotations

import re

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def interval(text: str) -> int:
    """Seconds of ``90m``, ``12h``, ``7d``, ``2w``. Raises ValueError in one line."""
    found = re.fullmatch(r"\s*(\d{1,5})\s*([mhdw])\s*", text)
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no interval: write it like 12h, 7d or 2w")
    return int(found[1]) * _UNITS[found[2]]
