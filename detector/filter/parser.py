"""Parse a filter into a syntax tree.

    filter  := all ("or" all)*
    all     := test ("and"? test)*
    test    := ("!" | "-" | "not")* ("(" filter ")" | when | term)
    term    := (field operator)? value ("," value)*
    when    := "last" interval | ("since" | "after" | "before" | "until") time
             | day (".." day)? | clock ".." clock

A value is a run of characters without blanks; any part may be in double quotes, in which ``\\"``
and ``\\\\`` are escapes. ``*`` and ``?`` outside quotes are wildcards. Quotes and parentheses still
open at the end are closed there, so that a filter works while it is being typed.
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from detector.filter.time_expressions import INTERVAL, KEYWORDS, reads_as_time
from detector.text.late_pattern import late_pattern

MAX_FILTER_LENGTH = 4_000
"""In characters."""

MAX_FILTER_DEPTH = 40
"""Nested parentheses."""


class FilterError(ValueError):
    """A filter that cannot be parsed; the message is one line.

    ``offset`` is that of the wrong character. ``unfinished``: more input may complete the filter,
    and the text before ``offset`` is valid."""

    def __init__(self, why: str, offset: int = 0, *, unfinished: bool = False) -> None:
        super().__init__(why)
        self.offset = offset
        self.unfinished = unfinished


class FilterValue(msgspec.Struct, frozen=True):
    """A value to compare with.

    ``wild`` are the offsets of wildcards in ``text``, ``dots`` is the offset of the first ``..``.
    """

    text: str
    offset: int = 0
    wild: tuple[int, ...] = ()
    dots: int | None = None
    quoted: bool = False

    @property
    def bounds(self) -> tuple[str, str]:
        """The texts before and after the ``..``."""
        assert self.dots is not None
        return self.text[: self.dots], self.text[self.dots + 2 :]


class FieldTerm(msgspec.Struct, frozen=True):
    """``field operator value, value…``; without a field, all fields are searched."""

    field: str | None
    operator: str
    values: tuple[FilterValue, ...]
    offset: int = 0


class TimeTerm(msgspec.Struct, frozen=True):
    """A time expression that applies to the rows' main time."""

    operator: str
    value: FilterValue


class Negation(msgspec.Struct, frozen=True):
    test: FilterNode


class Conjunction(msgspec.Struct, frozen=True):
    tests: tuple[FilterNode, ...]


class Disjunction(msgspec.Struct, frozen=True):
    tests: tuple[FilterNode, ...]


FilterNode = FieldTerm | TimeTerm | Negation | Conjunction | Disjunction

FIELD = late_pattern(
    r"(?!arn:)([a-z][\w.-]*)(:?(?:!=|>=|<=|=|>|<)|:(?!:(?!:)|//))", re.IGNORECASE | re.ASCII
)
"""A field and its operator, before a value. ``arn:``, ``a::b`` and ``s3://`` are plain text;
``x:::1`` is the field ``x`` with the value ``::1``."""

_WORD = late_pattern(r"[^\s()\"]+")
_BLANK = late_pattern(r"\s*")


def parse(text: str) -> tuple[FilterNode | None, str]:
    """Return the syntax tree, and the text with open quotes and parentheses closed.

    The tree is None for an empty filter. Raises FilterError.
    """
    if len(text) > MAX_FILTER_LENGTH:
        raise FilterError(
            f"a filter has at most {MAX_FILTER_LENGTH:,} characters", MAX_FILTER_LENGTH
        )
    reader = _Reader(text)
    reader.blank()
    if reader.at_end:
        return None, ""
    tree = reader.filter(0)
    if not reader.at_end:
        raise FilterError("this ) has no matching (: quote it to search for it", reader.offset)
    # A blank at the end of an open quote is part of the value.
    written = text.lstrip() if reader.has_open_quote else text.strip()
    return tree, written + reader.closing


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self.closing = ""
        self.has_open_quote = False

    @property
    def at_end(self) -> bool:
        return self.offset >= len(self.text)

    def peek(self) -> str:
        return self.text[self.offset : self.offset + 1]

    def blank(self) -> None:
        self.offset = _BLANK.match(self.text, self.offset).end()  # type: ignore[union-attr]

    def unfinished(self, written: str, why: str) -> NoReturn:
        """Raise an unfinished FilterError at the last word of ``written``, which ends the text."""
        word = written.split()[-1]
        raise FilterError(f"{word} {why}", len(self.text.rstrip()) - len(word), unfinished=True)

    def keyword(self, *words: str) -> str | None:
        """Consume and return one of these words if it comes next; otherwise return None."""
        match = _WORD.match(self.text, self.offset)
        word = match[0].casefold() if match else ""
        if word not in words:
            return None
        self.offset += len(word)
        self.blank()
        return word

    def filter(self, depth: int) -> FilterNode:
        if depth > MAX_FILTER_DEPTH:
            raise FilterError(f"more than {MAX_FILTER_DEPTH} nested parentheses", self.offset)
        tests = [self.all(depth)]
        while self.keyword("or"):
            tests.append(self.all(depth))
        if len(tests) == 1:
            return tests[0]
        return Disjunction(tuple(tests))

    def all(self, depth: int) -> FilterNode:
        tests = [self.test(depth)]
        while not self.at_end and self.peek() != ")":
            start = self.offset
            if self.keyword("or"):
                self.offset = start
                break
            self.keyword("and")
            tests.append(self.test(depth))
        if len(tests) == 1:
            return tests[0]
        return Conjunction(tuple(tests))

    def test(self, depth: int) -> FilterNode:
        start, wanted = self.offset, True
        while self.negation():
            wanted = not wanted
        if self.at_end:
            self.unfinished(self.text[start:] or self.text, "needs something after it")
        word = self.keyword("or", "and")
        if word:
            raise FilterError(
                f"{word} needs a term on both sides: quote it to search for the word", start
            )
        if self.peek() == "(":
            test = self.group(depth)
        else:
            test = self.when() or self.term()
        self.blank()
        return test if wanted else Negation(test)

    def negation(self) -> bool:
        if self.keyword("not"):
            return True
        is_sign = self.peek() in ("!", "-")
        self.offset += is_sign
        return is_sign

    def group(self, depth: int) -> FilterNode:
        start = self.offset
        self.offset += 1
        self.blank()
        if self.at_end or self.peek() == ")":
            raise FilterError("nothing between ( and )", start, unfinished=self.at_end)
        inner = self.filter(depth + 1)
        if self.at_end:
            self.closing += ")"
        self.offset += 1
        return inner

    def when(self) -> TimeTerm | None:
        start = self.offset
        word = self.keyword("last", *KEYWORDS)
        if word:
            if self.at_end:
                raise FilterError(f"{word} what? {_EXAMPLES[word]}", start, unfinished=True)
            value = self.value()
            if word != "last":
                return TimeTerm(KEYWORDS[word], value)
            if INTERVAL.fullmatch(value.text):
                return TimeTerm(">=", FilterValue(f"now-{value.text}", value.offset))
            raise FilterError(f"last {value.text}: {_EXAMPLES['last']}", start)
        match = _WORD.match(self.text, start)
        if match and reads_as_time(match[0]):
            return TimeTerm(":", self.value())
        return None

    def term(self) -> FieldTerm:
        start = self.offset
        match = FIELD.match(self.text, start)
        if not match:
            return FieldTerm(None, ":", (self.value(),), start)
        self.offset = match.end()
        values = [self.value("),")]
        while self.peek() == ",":
            self.offset += 1
            values.append(self.value("),"))
        return FieldTerm(match[1].casefold(), match[2].lstrip(":") or ":", tuple(values), start)

    def value(self, ends: str = ")") -> FilterValue:
        """Read a value up to a blank or one of ``ends``."""
        start, letters, wild, dots, quoted = self.offset, [], [], None, False
        while not self.at_end:
            here = self.peek()
            if here.isspace() or here in ends:
                break
            if here == '"':
                quoted = True
                letters += self.quotation()
                continue
            if here in "*?":
                wild.append(len(letters))
            elif here == "." and dots is None and self.text.startswith("..", self.offset):
                dots = len(letters)
            letters.append(here)
            self.offset += 1
        if not letters and (not quoted or self.has_open_quote):
            if self.at_end:
                self.unfinished(self.text, "needs a value")
            raise FilterError("a value is missing here", start)
        return FilterValue("".join(letters), start, tuple(wild), dots, quoted)

    def quotation(self) -> list[str]:
        self.offset += 1
        letters: list[str] = []
        escaped = False
        while not self.at_end and self.peek() != '"':
            escaped = self.peek() == "\\" and self.text[self.offset + 1 : self.offset + 2] in (
                '"',
                "\\",
            )
            self.offset += escaped
            letters.append(self.peek())
            self.offset += 1
        if self.at_end:
            self.has_open_quote = True
            # The last backslash, where it is literal, would escape the quote that is added.
            self.closing += '\\"' if letters[-1:] == ["\\"] and not escaped else '"'
        self.offset += 1
        return letters


_EXAMPLES = {
    "last": "such as 30m, 2h, 7d",
    **dict.fromkeys(KEYWORDS, "such as 11:30, yesterday, 2026-03-01"),
}
