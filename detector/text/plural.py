"""Write counts with their nouns."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Write ``1 alert``, ``1,200 alerts``, ``3 entries``, ``2 watches``."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{count:,} {noun[:-1]}ies"
    if noun.endswith(("ch", "s", "sh", "x")):
        return f"{count:,} {noun}es"
    return f"{count:,} {noun}s"
