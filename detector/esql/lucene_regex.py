"""Translate Lucene's regex syntax, which RLIKE uses, to RE2's.

In Lucene, ``^`` and ``$`` are plain characters, ``@`` matches any text, ``#`` matches nothing,
``"…"`` is literal, and a quantifier may follow another quantifier. A pattern always matches the
whole text. Source: Lucene's documentation of ``RegExp``.
"""

from __future__ import annotations

import re

from detector.text.late_pattern import late_pattern

_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r"}
_UNSUPPORTED = {"~": "complement (~)", "&": "intersection (&)", "<": "a numeric interval (<)"}
_COUNTED = late_pattern(r"\{([0-9]{1,4})(,([0-9]{0,4}))?\}")
_ANY_TEXT = "(?s:.*)"
_NOTHING = r"[^\x00-\x{10FFFF}]"


def translate(pattern: str) -> str:
    """Translate a pattern to RE2's syntax. Raises ValueError for an invalid one."""
    reader = _Reader(pattern)
    translation = reader.union()
    if reader.index < len(pattern):
        raise ValueError(
            f"unexpected {reader.peek()} at character {reader.index + 1} of the pattern"
        )
    return translation


class _Reader:
    """A recursive-descent parser for a pattern; its methods return RE2 syntax."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.index = 0

    def peek(self) -> str:
        return self.pattern[self.index : self.index + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise ValueError("the pattern ends too early")
        self.index += 1
        return character

    def union(self) -> str:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.take()
            branches.append(self.sequence())
        return f"(?:{'|'.join(branches)})"

    def sequence(self) -> str:
        parts = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repetition())
        return "".join(parts)

    def repetition(self) -> str:
        part = self.atom()
        while self.peek() and self.peek() in "?*+{":
            part = f"(?:{part}){self.quantifier()}"
        return part

    def quantifier(self) -> str:
        if self.peek() != "{":
            return self.take()
        counted = _COUNTED.match(self.pattern, self.index)
        if not counted:
            raise ValueError(
                "{ must be followed by {n}, {n,} or {n,m}; write \\{ for the character"
            )
        self.index = counted.end()
        low, _, high = counted.groups()
        if high and int(high) < int(low):
            raise ValueError(f"{{{int(low)},{int(high)}}} asks for more than it allows")
        return counted[0]

    def atom(self) -> str:
        character = self.take()
        if character in _UNSUPPORTED:
            raise ValueError(
                f"{_UNSUPPORTED[character]} is not supported; write \\{character} for the character"
            )
        if character in "?*+{":
            raise ValueError(f"nothing stands before {character}")
        match character:
            case "(":
                return self.group()
            case "[":
                return self.character_class()
            case "\\":
                return self.escape()
            case '"':
                return self.quoted()
            case ".":
                return "(?s:.)"
            case "@":
                return _ANY_TEXT
            case "#":
                return _NOTHING
        return re.escape(character)

    def group(self) -> str:
        inner = self.union()
        if self.peek() != ")":
            raise ValueError("a ) is missing")
        self.take()
        return inner

    def escape(self) -> str:
        escaped = self.take()
        members = _CLASSES.get(escaped.lower())
        if members is None:
            return re.escape(escaped)
        return f"[^{members}]" if escaped.isupper() else f"[{members}]"

    def quoted(self) -> str:
        text, quote, _ = self.pattern[self.index :].partition('"')
        if not quote:
            raise ValueError('a closing " is missing; write \\" for the character')
        self.index += len(text) + 1
        return f"(?:{re.escape(text)})"

    def character_class(self) -> str:
        """Parse characters and ranges up to ``]``, after the ``[``."""
        negation = ""
        if self.peek() == "^":
            negation = self.take()
        members: list[str] = []
        while self.peek() != "]" or not members:
            members.append(self.class_part())
        self.take()
        return f"[{negation}{''.join(members)}]"

    def class_part(self) -> str:
        following = self.pattern[self.index + 1 : self.index + 2]
        if self.peek() == "\\" and following in _CLASSES:
            self.index += 2
            return _CLASSES[following]
        low = high = self.member()
        if self.peek() == "-" and self.pattern[self.index + 1 : self.index + 2] not in ("]", ""):
            self.take()
            high = self.member()
        if high < low:
            raise ValueError(f"{low}-{high} is not a range")
        return f"\\x{{{ord(low):X}}}-\\x{{{ord(high):X}}}"

    def member(self) -> str:
        character = self.take()
        return self.take() if character == "\\" else character
