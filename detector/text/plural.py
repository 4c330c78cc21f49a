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


def counted(value: str, nouns: str) -> str:
    """Write a number before the plural of a noun, which other words may follow.

    ``1 second from first to last``, ``2 addresses``.
    """
    noun, _, rest = nouns.partition(" ")
    if value == "1":
        candidates = (f"{noun[:-3]}y", noun[:-2], noun[:-1])
        noun = next((each for each in candidates if plural(2, each) == f"2 {noun}"), noun)
    return " ".join(filter(None, (value, noun, rest)))
