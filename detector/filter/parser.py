"""A filter's text as a tree.

    filter  := all ("or" all)*
    all     := test ("and"? test)*
    test    := ("!" | "-" | "not")* ("(" filter ")" | when | term)
    term    := (field operator)? value ("," value)*
    when    := "last" interval | ("since" | "after" | "before" | "until") time | day (".." day)? | clock ".." clock

A value is a run of characters without blanks, any part of it in double quotes, in which ``\\"`` and ``\\\\`` stand for
what they escape. ``*`` and ``?`` outside quotes are wildcards. Quotes and parentheses that are still open at the end
are closed there, so that a filter holds while it is being typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from detector.filter.time_expressions import INTERVAL, KEYWORDS, reads_as_time

LONGEST = 4_000
"""Characters of a filter."""

DEEPEST = 40
"""Parentheses within each other."""


class FilterError(ValueError):
    """A filter that cannot be understood: one line that says why.

    ``place`` is the character that it is about. ``unfinished``: it may be mended by writing on, and
    what stands before ``place`` is not what is wrong."""

    def __init__(self, why: str, place: int = 0, *, unfinished: bool = False) -> None:
        super().__init__(why)
        self.place = place
        self.unfinished = unfinished


@dataclass(frozen=True)
class Value:
    """What is looked for. ``wild`` are the places in ``text`` of the wildcards, ``dots`` that of a
    ``..``."""

    text: str
    place: int = 0
    wild: tuple[int, ...] = ()
    dots: int | None = None
    quoted: bool = False

    @property
    def bounds(self) -> tuple[str, str]:
        """What stands before and after the ``..``."""
        assert self.dots is not None
        return self.text[: self.dots], self.text[self.dots + 2 :]


@dataclass(frozen=True)
class Term:
    """``field operator value, value…``; without a field the value is looked for in all of them."""

    field: str | None
    operator: str
    values: tuple[Value, ...]
    place: int = 0


@dataclass(frozen=True)
class When:
    """A time expression, about the time that the rows are listed by."""

    operator: str
    value: Value


@dataclass(frozen=True)
class Not:
    test: Node


@dataclass(frozen=True)
class All:
    tests: tuple[Node, ...]


@dataclass(frozen=True)
class Any:
    tests: tuple[Node, ...]


Node = Term | When | Not | All | Any

FIELD = re.compile(
    r"(?!arn:)([a-z][\w.-]*)(:?(?:!=|>=|<=|=|>|<)|:(?!:(?!:)|//))", re.IGNORECASE | re.ASCII
)
"""What stands before a value: a field and an operator. ``arn:``, ``a::b`` and ``s3://`` are text;
``x:::1`` is not."""

_WORD = re.compile(r"[^\s()\"]+")
_BLANK = re.compile(r"\s*")


def parse(text: str) -> tuple[Node | None, str]:
    """The tree, None where nothing is asked for; and the text with all that was open closed.

    Raises FilterError.
    """
    if len(text) > LONGEST:
        raise FilterError(f"a filter has at most {LONGEST:,} characters", LONGEST)
    reader = _Reader(text)
    reader.blank()
    if reader.at_end:
        return None, ""
    tree = reader.filter(0)
    if not reader.at_end:
        raise FilterError("this ) closes nothing: quote it to look for it", reader.place)
    return tree, text.strip() + reader.closing


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.closing = ""

    @property
    def at_end(self) -> bool:
        return self.place >= len(self.text)

    def peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def blank(self) -> None:
        self.place = _BLANK.match(self.text, self.place).end()  # type: ignore[union-attr]

    def unfinished(self, written: str, why: str) -> NoReturn:
        """The last word of ``written``, at whose end the text ends, must be followed by
        something."""
        word = written.split()[-1]
        raise FilterError(f"{word} {why}", len(self.text.rstrip()) - len(word), unfinished=True)

    def keyword(self, *words: str) -> str | None:
        """Read one of these words, if it comes next."""
        found = _WORD.match(self.text, self.place)
        word = found[0].casefold() if found else ""
        if word not in words:
            return None
        self.place += len(word)
        self.blank()
        return word

    def filter(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise FilterError(f"more than {DEEPEST} parentheses within each other", self.place)
        found = [self.all(depth)]
        while self.keyword("or"):
            found.append(self.all(depth))
        return found[0] if len(found) == 1 else Any(tuple(found))

    def all(self, depth: int) -> Node:
        found = [self.test(depth)]
        while not self.at_end and self.peek() != ")":
            start = self.place
            if self.keyword("or"):
                self.place = start
                break
            self.keyword("and")
            found.append(self.test(depth))
        return found[0] if len(found) == 1 else All(tuple(found))

    def test(self, depth: int) -> Node:
        start, wanted = self.place, True
        while self.negation():
            wanted = not wanted
        if self.at_end:
            self.unfinished(self.text[start:] or self.text, "stands before nothing")
        if word := self.keyword("or", "and"):
            raise FilterError(
                f"{word} stands between two things: quote it to look for the word", start
            )
        ends = ")" if depth else ""
        found = self.group(depth) if self.peek() == "(" else self.when(ends) or self.term(ends)
        self.blank()
        return found if wanted else Not(found)

    def negation(self) -> bool:
        if self.keyword("not"):
            return True
        self.place += (found := self.peek() in ("!", "-"))
        return found

    def group(self, depth: int) -> Node:
        start = self.place
        self.place += 1
        self.blank()
        if self.at_end or self.peek() == ")":
            raise FilterError("nothing stands between ( and )", start, unfinished=self.at_end)
        found = self.filter(depth + 1)
        if self.at_end:
            self.closing += ")"
        self.place += 1
        return found

    def when(self, ends: str) -> When | None:
        start = self.place
        if word := self.keyword("last", *KEYWORDS):
            if self.at_end:
                raise FilterError(f"{word} what? {_SUCH[word]}", start, unfinished=True)
            value = self.value(ends)
            if word != "last":
                return When(KEYWORDS[word], value)
            if INTERVAL.fullmatch(value.text):
                return When(">=", Value(f"now-{value.text}", value.place))
            raise FilterError(f"last {value.text}: {_SUCH['last']}", start)
        found = _WORD.match(self.text, start)
        if found and reads_as_time(found[0]):
            return When(":", self.value(ends))
        return None

    def term(self, ends: str) -> Term:
        start = self.place
        if not (found := FIELD.match(self.text, start)):
            return Term(None, ":", (self.value(ends),), start)
        self.place = found.end()
        values = [self.value(ends + ",")]
        while self.peek() == ",":
            self.place += 1
            values.append(self.value(ends + ","))
        return Term(found[1].casefold(), found[2].lstrip(":") or ":", tuple(values), start)

    def value(self, ends: str) -> Value:
        """The value that begins here and goes to a blank or one of ``ends``."""
        start, letters, wild, dots, quoted = self.place, [], [], None, False
        while not self.at_end and not (here := self.peek()).isspace() and here not in ends:
            if here == '"':
                quoted = True
                letters += self.quotation()
                continue
            if here in "*?":
                wild.append(len(letters))
            elif here == "." and dots is None and self.text.startswith("..", self.place):
                dots = len(letters)
            letters.append(here)
            self.place += 1
        if not letters and (not quoted or self.closing):
            if self.at_end:
                self.unfinished(self.text, "needs a value")
            raise FilterError("a value is missing here", start)
        return Value("".join(letters), start, tuple(wild), dots, quoted)

    def quotation(self) -> list[str]:
        self.place += 1
        letters: list[str] = []
        while not self.at_end and self.peek() != '"':
            escaped = self.peek() == "\\" and self.text[self.place + 1 : self.place + 2] in (
                '"',
                "\\",
            )
            self.place += escaped
            letters.append(self.peek())
            self.place += 1
        if self.at_end:
            self.closing += '"'
        self.place += 1
        return letters


_SUCH = {
    "last": "such as 30m, 2h, 7d",
    **dict.fromkeys(KEYWORDS, "such as 11:30, yesterday, 2026-03-01"),
}
