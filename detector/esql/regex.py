"""Run regular expressions with RE2 and the semantics of Python's ``re``.

GROK and ``replace`` use them. Python's own parser parses an expression, so its syntax, classes and
flags have the same meaning; the parsed tree is then written in RE2's syntax. RE2 has no
look-around, and its word boundaries are ASCII-only.

Therefore assertions (``\\b``, ``(?!x)``, ``$``) are emulated: for each text, Python first finds the
positions at which an assertion holds. Characters of a private range (marks) are inserted there, and
RE2's expression matches a mark instead of the assertion. Before any other character it skips marks.

Constructs that cannot run in linear time are rejected: back-references, look-around of several
characters, atomic groups, possessive quantifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as ops
from typing import Any

from detector.text.late_pattern import late_pattern
from detector.text.linear_regex import compile_regex, encodable

Spans = list[tuple[int, int]]
"""The start and end of a match and of each group; (-1, -1) for a group that did not match."""

_NO_SPAN = -1, -1
_MOST_REPEATS = 1000  # RE2's own limit
_MOST_COPIES = 32
_MOST_ASSERTIONS = 12  # distinct ones; each has a bit in a mark
_FIRST_MARK = 0xE000
_LAST_MARK = _FIRST_MARK + (1 << _MOST_ASSERTIONS) - 1
_TOP_BIT = 1 << _MOST_ASSERTIONS - 1  # for the first assertion, so that its marks are one range
_MARKS = f"\\x{{{_FIRST_MARK:X}}}-\\x{{{_LAST_MARK:X}}}"
_MARK = late_pattern(f"[{chr(_FIRST_MARK)}-{chr(_LAST_MARK)}]")
_NO_MARK = chr(_LAST_MARK + 1)  # replaces characters of a text that look like marks; private too

_SPACE = (
    r"\t-\r\x1C-\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}"
    r"\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
)
_CATEGORIES = {
    ops.CATEGORY_DIGIT: r"\p{Nd}",
    ops.CATEGORY_SPACE: _SPACE,
    ops.CATEGORY_WORD: r"\pL\pN_",
}
_COMPLEMENTS = {
    ops.CATEGORY_NOT_DIGIT: r"\p{Nd}",
    ops.CATEGORY_NOT_SPACE: _SPACE,
    ops.CATEGORY_NOT_WORD: r"\pL\pN_",
}
_ANCHORS = {ops.AT_BEGINNING: r"\A", ops.AT_BEGINNING_STRING: r"\A", ops.AT_END_STRING: r"\z"}
_LINE_ANCHORS = {ops.AT_BEGINNING: "(?m:^)", ops.AT_END: "(?m:$)"}
_REFUSED = {
    ops.GROUPREF: "a back-reference",
    ops.GROUPREF_EXISTS: "a condition on a group",
    ops.GROUPREF_IGNORE: "a back-reference",
    ops.ATOMIC_GROUP: "an atomic group (?>…)",
    ops.POSSESSIVE_REPEAT: "a possessive quantifier",
}
_CHARACTERS = (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN)
_UNSUPPORTED_FLAGS = {re.ASCII: "a", re.LOCALE: "L"}


class Regex:
    """A compiled expression.

    ``groups`` is the number of groups, ``group_numbers`` has the numbers of the named ones.

    Raises ValueError for an expression that is invalid, unsupported or too large.
    """

    def __init__(self, pattern: str, flags: int = 0) -> None:
        try:
            tree = _parser.parse(pattern, flags)
            flags = _supported_flags(tree.state.flags)
            translation = _Translation()
            translated = translation.sequence(tree, flags)
            if not translation.needs_marks:
                translated = _Translation(native=True).sequence(tree, flags)
        except (re.error, OverflowError) as error:
            raise ValueError(f"no regular expression: {error}") from None
        except RecursionError:
            raise ValueError("the pattern is nested too deeply") from None
        self.groups: int = tree.state.groups - 1
        self.group_numbers: dict[str, int] = tree.state.groupdict
        self._assertions = translation.assertions
        self._copies = 0
        if translation.needs_marks:
            self._copies = _consecutive_assertions(tree)
        if self._copies > _MOST_COPIES:
            raise ValueError("the pattern has too many assertions at one position")
        self._regex = compile_regex(translated)

    def search(self, text: str) -> Spans | None:
        """Return the spans of the first match, or None."""
        return next(self.matches(text), None)

    def matches(self, text: str) -> Iterator[Spans]:
        """Yield the spans of each match, from left to right.

        After an empty match, the search continues one character later, as in Java.
        """
        data, starts, indexes = self._encoded(text)
        start = 0  # a character index
        while start <= len(text):
            match = self._regex.search(data, starts[start])
            if match is None:
                return
            spans = [_text_span(match.span(group), indexes) for group in range(self.groups + 1)]
            yield spans
            low, high = spans[0]
            start = high + (low == high)

    def _encoded(self, text: str) -> tuple[bytes, Sequence[int], Sequence[int]]:
        """Encode a text as UTF-8, with marks before each character and at the end.

        Also return the byte offset at which each character's marks begin, and the character index
        of each byte.
        """
        if not self._copies and text.isascii():
            identity = range(len(text) + 1)
            return text.encode(), identity, identity
        pieces = []
        starts = []
        indexes: list[int] = []
        characters = [*_MARK.sub(_NO_MARK, encodable(text)), ""]
        for index, mark in enumerate(self._marks(text)):
            starts.append(len(indexes))
            piece = (mark * self._copies + characters[index]).encode()
            pieces.append(piece)
            indexes.extend([index] * len(piece))
        indexes.append(len(text))
        return b"".join(pieces), starts, indexes

    def _marks(self, text: str) -> Iterable[str]:
        """Return a mark for each position, which encodes the assertions that hold there."""
        bits = [0] * (len(text) + 1)
        for number, assertion in enumerate(self._assertions):
            for match in assertion.finditer(text):
                bits[match.start()] |= _TOP_BIT >> number
        return (chr(_FIRST_MARK + each) for each in bits)


def _text_span(span: tuple[int, int], indexes: Sequence[int]) -> tuple[int, int]:
    low, high = span
    if low < 0:
        return _NO_SPAN
    return indexes[low], indexes[high]


def _supported_flags(flags: int) -> int:
    for flag, letter in _UNSUPPORTED_FLAGS.items():
        if flags & flag:
            raise _unsupported(f"the flag {letter}")
    return flags


def _unsupported(construct: str) -> ValueError:
    return ValueError(
        f"{construct} is not supported, since every text must be matched in linear time; "
        "write the expression without it"
    )


class _Translation:
    """Writes a parsed expression in RE2's syntax.

    ``native``: without marks, for an expression whose assertions RE2 supports.
    """

    def __init__(self, native: bool = False) -> None:
        self.native = native
        self.marks = "" if native else _MARKS
        self.skipped_marks = "" if native else f"[{_MARKS}]*"
        self.needs_marks = False
        self.assertions: list[re.Pattern[str]] = []
        self._numbers: dict[tuple[str, int], int] = {}

    def sequence(self, items: Iterable[tuple[Any, Any]], flags: int) -> str:
        return "".join(self.item(op, argument, flags) for op, argument in items)

    def item(self, op: Any, argument: Any, flags: int) -> str:
        if op in _REFUSED:
            raise _unsupported(_REFUSED[op])
        if op in _CHARACTERS:
            return self.character(op, argument, flags)
        if op is ops.BRANCH:
            return f"(?:{'|'.join(self.sequence(branch, flags) for branch in argument[1])})"
        if op is ops.SUBPATTERN:
            group, added, removed, items = argument
            if added & re.ASCII:
                raise _unsupported("the flag a")
            inner = self.sequence(items, (flags | added) & ~removed)
            return f"(?:{inner})" if group is None else f"({inner})"
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            return self.repetition(op, argument, flags)
        assert op in (ops.AT, ops.ASSERT, ops.ASSERT_NOT), op
        return self.assertion(op, argument, flags)

    def repetition(self, op: Any, argument: Any, flags: int) -> str:
        low, high, items = argument
        endless = high is ops.MAXREPEAT
        if endless and items.getwidth()[0] == 0:
            # Engines differ in when they leave such a loop and in the resulting group spans.
            raise ValueError(
                "a repetition without end of what may be empty is not supported; "
                "repeat what takes at least one character"
            )
        if low > _MOST_REPEATS or (not endless and high > _MOST_REPEATS):
            raise ValueError(f"a repetition of more than {_MOST_REPEATS} times is not supported")
        quantifier = f"{{{low},}}" if endless else f"{{{low},{high}}}"
        if op is ops.MIN_REPEAT:
            quantifier += "?"
        return f"(?:{self.sequence(items, flags)}){quantifier}"

    def character(self, op: Any, argument: Any, flags: int) -> str:
        members = self.members(op, argument, flags)
        if flags & re.IGNORECASE:
            members = f"(?i:{members})"
        return self.skipped_marks + members

    def members(self, op: Any, argument: Any, flags: int) -> str:
        """Translate an item that matches one character; it never matches a mark."""
        if op is ops.LITERAL:
            return _code_point(argument)
        if op is ops.NOT_LITERAL:
            return f"[^{_code_point(argument)}{self.marks}]"
        if op is ops.ANY:
            return self.any_character(flags)
        return self.character_class(op, argument, flags)

    def any_character(self, flags: int) -> str:
        if not flags & re.DOTALL:
            return f"[^\\n{self.marks}]"
        return f"[^{self.marks}]" if self.marks else "(?s:.)"

    def character_class(self, op: Any, argument: Any, flags: int) -> str:
        negated = argument[0][0] is ops.NEGATE
        complements = [
            value for kind, value in argument if kind is ops.CATEGORY and value in _COMPLEMENTS
        ]
        if negated and complements:
            return f"[{_scanned(op, argument, flags)}]"
        plain = "".join(self.member(kind, value) for kind, value in argument)
        if negated:
            return f"[^{plain}{self.marks}]"
        choices = [f"[^{_COMPLEMENTS[value]}{self.marks}]" for value in complements]
        if plain:
            choices.append(f"[{plain}]")
        return f"(?:{'|'.join(choices)})"

    def member(self, kind: Any, value: Any) -> str:
        if kind is ops.CATEGORY:
            return _CATEGORIES.get(value, "")
        if kind is ops.LITERAL:
            return _code_point(value)
        if kind is ops.NEGATE:
            return ""
        low, high = value
        if self.native or high < _FIRST_MARK or low > _LAST_MARK:
            return _code_points(low, high)
        ranges = [(low, _FIRST_MARK - 1), (_LAST_MARK + 1, high)]
        return "".join(_code_points(first, last) for first, last in ranges if first <= last)

    def assertion(self, op: Any, argument: Any, flags: int) -> str:
        if op in (ops.ASSERT, ops.ASSERT_NOT):
            inner = list(argument[1])
            if len(inner) != 1 or inner[0][0] not in _CHARACTERS:
                raise _unsupported("look-around of more than one character")
        native = _native(op, argument, flags)
        if self.native:
            assert native is not None
            return native
        self.needs_marks = self.needs_marks or native is None
        return f"[{self._holding(op, argument, flags)}]"

    def _holding(self, op: Any, argument: Any, flags: int) -> str:
        """Return the members of the class of marks in which an assertion holds."""
        key = repr((op, argument)), flags
        if key not in self._numbers:
            if len(self._numbers) == _MOST_ASSERTIONS:
                raise ValueError("the pattern has too many different assertions")
            self._numbers[key] = len(self._numbers)
            self.assertions.append(_compiled([(op, argument)], flags))
        bit = _TOP_BIT >> self._numbers[key]
        lows = range(_FIRST_MARK + bit, _LAST_MARK + 1, 2 * bit)
        return "".join(_code_points(low, low + bit - 1) for low in lows)


def _native(op: Any, position: Any, flags: int) -> str | None:
    """Return RE2's form of an assertion; None if RE2 lacks it."""
    if op is not ops.AT:
        return None
    native: str | None = _ANCHORS.get(position)
    if flags & re.MULTILINE:
        native = _LINE_ANCHORS.get(position, native)
    return native


def _consecutive_assertions(items: Any) -> int:
    """Return an upper bound of the number of assertions that a match tests at one position.

    Each assertion consumes a mark, so this many copies of a mark are inserted at each position.
    """
    most = run = 0
    for op, argument in items:
        number, width = 0, 0
        if op in _CHARACTERS:
            width = 1
        elif op is ops.BRANCH:
            number = max(map(_consecutive_assertions, argument[1]))
            width = min(branch.getwidth()[0] for branch in argument[1])
        elif op is ops.SUBPATTERN:
            number = _consecutive_assertions(argument[3])
            width = argument[3].getwidth()[0]
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            low, _, inner = argument
            number = _consecutive_assertions(inner) * max(2, low)
            width = inner.getwidth()[0] * low
        else:
            number = 1
        most = max(most, run + number)
        run = number if width else run + number
    return most


def _code_point(number: int) -> str:
    return f"\\x{{{number:X}}}"


def _code_points(low: int, high: int) -> str:
    return f"{_code_point(low)}-{_code_point(high)}"


def _compiled(items: list[tuple[Any, Any]], flags: int) -> re.Pattern[str]:
    """Compile a part of a parsed expression with Python's ``re``.

    Used only for assertions and single characters, which take constant time per position.
    """
    compiled: re.Pattern[str] = _compiler.compile(_subpattern(items, flags), flags)
    return compiled


def _subpattern(items: list[tuple[Any, Any]], flags: int) -> Any:
    state = _parser.State()
    state.flags = flags
    return _parser.SubPattern(state, items)


def _scanned(op: Any, argument: Any, flags: int) -> str:
    """Return the ranges of a class by testing every character.

    This is for classes such as ``[^\\W_]``, because RE2 cannot subtract classes.
    """
    members = _subpattern([(op, argument)], flags)
    runs = _compiled([(ops.MAX_REPEAT, (1, ops.MAXREPEAT, members))], flags)
    return "".join(
        _code_points(run.start(), run.end() - 1) for run in runs.finditer(_every_character())
    )


@cache
def _every_character() -> str:
    return _MARK.sub("\0", "".join(map(chr, range(0x110000))))
