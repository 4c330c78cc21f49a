"""RLIKE's language, which is Lucene's: a pattern -> an automaton, which takes one step for each character of a text.

There ``^`` and ``$`` are plain characters, ``@`` is any text, ``#`` matches nothing, ``"…"`` is taken as it is, and a
quantifier applies to what it follows even if that is quantified. A pattern always means the whole text.

What tries one way after the other takes years over a text that was written for that; Lucene does not, and texts are
hostile. So each character of a pattern becomes a position (Glushkov's construction), and the sets of positions that
texts get to become states when they are first met. Source of the language: Lucene's documentation of ``RegExp``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

_MOST_POSITIONS = 2000
_MOST_MOVES = 20_000
"""An automaton that has met more of them forgets them all: no text makes it grow for ever."""


def automaton(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a text matches one of ``patterns`` as a whole. Raises ValueError for what is no
    pattern."""
    positions = _Positions()
    whole = positions.either([_Reader(pattern, positions).whole() for pattern in patterns])
    return _Automaton(positions, whole).matches


class _Characters(NamedTuple):
    """Those in one of ``ranges``, or, ``negated``, those in none."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def have(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) != self.negated


_ANY = _Characters((), negated=True)


class _Part(NamedTuple):
    """A part of a pattern: the positions that its texts can begin and end at. ``empty``: the empty
    text is one."""

    first: frozenset[int]
    last: frozenset[int]
    empty: bool


_EMPTY = _Part(frozenset(), frozenset(), empty=True)
_NEVER = _Part(frozenset(), frozenset(), empty=False)


class _Positions:
    """``characters`` that each position stands for, and the positions that come ``after`` it."""

    def __init__(self) -> None:
        self.characters: list[_Characters] = []
        self.after: list[set[int]] = []

    def one(self, characters: _Characters) -> _Part:
        if len(self.characters) == _MOST_POSITIONS:
            raise ValueError("the pattern is too large")
        self.characters.append(characters)
        self.after.append(set())
        place = frozenset([len(self.characters) - 1])
        return _Part(place, place, empty=False)

    def joined(self, parts: Iterable[_Part]) -> _Part:
        first, last, empty = _EMPTY
        for part in parts:
            self.follow(last, part.first)
            first = first | part.first if empty else first
            last = last | part.last if part.empty else part.last
            empty = empty and part.empty
        return _Part(first, last, empty)

    def either(self, parts: Iterable[_Part]) -> _Part:
        first, last, empty = _NEVER
        for part in parts:
            first, last, empty = first | part.first, last | part.last, empty or part.empty
        return _Part(first, last, empty)

    def follow(self, last: Iterable[int], first: Iterable[int]) -> None:
        for place in last:
            self.after[place].update(first)

    def repeated(self, make: Callable[[], _Part], least: int, most: int | None) -> _Part:
        """``make`` gives the part that is repeated, with positions of its own each time."""
        if most is not None and most < least:
            raise ValueError(f"{{{least},{most}}} asks for more than it allows")
        if most is not None:
            return self.joined(
                [make() for _ in range(least)]
                + [make()._replace(empty=True) for _ in range(most - least)]
            )
        *parts, again = [make() for _ in range(max(least, 1))]
        self.follow(again.last, again.first)
        return self.joined([*parts, again._replace(empty=again.empty or not least)])


# reading

_CLASSES = {
    "d": (("0", "9"),),
    "w": (("A", "Z"), ("a", "z"), ("0", "9"), ("_", "_")),
    "s": ((" ", " "), ("\t", "\t"), ("\n", "\n"), ("\r", "\r")),
}
_UNSUPPORTED = {"~": "complement (~)", "&": "intersection (&)", "<": "a numeric interval (<)"}
_QUANTIFIERS: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
_COUNTED = re.compile(r"\{([0-9]{1,4})(,([0-9]{0,4}))?\}")
_Make = Callable[[], _Part]


class _Reader:
    """Reads a pattern from the left; what it has read is made into positions at the end, some of it
    several times."""

    def __init__(self, pattern: str, positions: _Positions) -> None:
        self.pattern = pattern
        self.place = 0
        self.positions = positions

    def whole(self) -> _Part:
        make = self.union()
        if self.place < len(self.pattern):
            raise ValueError(
                f"unexpected {self.peek()} at character {self.place + 1} of the pattern"
            )
        return make()

    def peek(self) -> str:
        return self.pattern[self.place : self.place + 1]

    def take(self) -> str:
        if not (found := self.peek()):
            raise ValueError("the pattern ends too early")
        self.place += 1
        return found

    def union(self) -> _Make:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.take()
            branches.append(self.sequence())
        return lambda: self.positions.either([make() for make in branches])

    def sequence(self) -> _Make:
        parts = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated())
        return lambda: self.positions.joined([make() for make in parts])

    def repeated(self) -> _Make:
        make = self.atom()
        while (quantifier := self.peek()) and quantifier in "?*+{":
            make = self.times(make, *self.quantity())
        return make

    def times(self, make: _Make, least: int, most: int | None) -> _Make:
        return lambda: self.positions.repeated(make, least, most)

    def quantity(self) -> tuple[int, int | None]:
        if known := _QUANTIFIERS.get(self.peek()):
            self.take()
            return known
        if not (found := _COUNTED.match(self.pattern, self.place)):
            raise ValueError(
                "{ must be followed by {n}, {n,} or {n,m}; write \\{ for the character"
            )
        self.place = found.end()
        least, more, most = found.groups()
        return int(least), int(most) if most else None if more else int(least)

    def atom(self) -> _Make:
        character = self.take()
        if character in _UNSUPPORTED:
            raise ValueError(
                f"{_UNSUPPORTED[character]} is not supported; write \\{character} for the character"
            )
        if character in "?*+{":
            raise ValueError(f"nothing stands before {character}")
        match character:
            case "(":
                inner = self.union()
                if self.peek() != ")":
                    raise ValueError("a ) is missing")
                self.take()
                return inner
            case "[":
                return self.character(self.set())
            case "\\":
                escaped = self.take()
                inside = _CLASSES.get(escaped.lower())
                return self.character(
                    _Characters(inside, escaped.isupper()) if inside else _only(escaped)
                )
            case '"':
                text, quote, _ = self.pattern[self.place :].partition('"')
                if not quote:
                    raise ValueError('a closing " is missing; write \\" for the character')
                self.place += len(text) + 1
                return lambda: self.positions.joined(
                    [self.positions.one(_only(each)) for each in text]
                )
            case ".":
                return self.character(_ANY)
            case "@":
                return self.times(self.character(_ANY), 0, None)
            case "#":
                return lambda: _NEVER
        return self.character(_only(character))

    def character(self, characters: _Characters) -> _Make:
        return lambda: self.positions.one(characters)

    def set(self) -> _Characters:
        """After ``[``: characters and ranges up to ``]``."""
        negated = self.peek() == "^"
        if negated:
            self.take()
        ranges: list[tuple[str, str]] = []
        while self.peek() != "]" or not ranges:
            if self.peek() == "\\" and (
                inside := _CLASSES.get(self.pattern[self.place + 1 : self.place + 2])
            ):
                self.place += 2
                ranges += inside
                continue
            low = high = self.member()
            if self.peek() == "-" and self.pattern[self.place + 1 : self.place + 2] not in (
                "]",
                "",
            ):
                self.take()
                high = self.member()
            if high < low:
                raise ValueError(f"{low}-{high} is no range")
            ranges.append((low, high))
        self.take()
        return _Characters(tuple(ranges), negated)

    def member(self) -> str:
        character = self.take()
        return self.take() if character == "\\" else character


def _only(character: str) -> _Characters:
    return _Characters(((character, character),))


# matching


class _State:
    """The ``positions`` that may come next. ``accepts``: a text may end here. ``settled``: so it
    is, whatever follows. ``moves`` are those met so far."""

    __slots__ = ("accepts", "moves", "positions", "settled")

    def __init__(self, positions: frozenset[int], accepts: bool, settled: bool) -> None:
        self.positions = positions
        self.accepts = accepts
        self.settled = settled
        self.moves: dict[str, _State] = {}


class _Automaton:
    def __init__(self, positions: _Positions, whole: _Part) -> None:
        self._characters, self._after, self._last = (
            positions.characters,
            positions.after,
            whole.last,
        )
        self._states: dict[tuple[frozenset[int], bool], _State] = {}
        self._start = self._state(whole.first, whole.empty)
        self._moves = 0

    def matches(self, text: str) -> bool:
        state = self._start
        for character in text:
            state = state.moves.get(character) or self._move(state, character)
            if state.settled:
                break
        return state.accepts

    def _move(self, state: _State, character: str) -> _State:
        reached = [place for place in state.positions if self._characters[place].have(character)]
        positions = frozenset().union(*(self._after[place] for place in reached))
        accepts = not self._last.isdisjoint(reached)
        self._moves += 1
        if self._moves > _MOST_MOVES:
            for known in (self._start, state, *self._states.values()):
                known.moves.clear()
            self._states.clear()
            self._moves = 0
        found = state.moves[character] = self._state(positions, accepts)
        return found

    def _state(self, positions: frozenset[int], accepts: bool) -> _State:
        if (found := self._states.get((positions, accepts))) is None:
            on = accepts and any(
                place in self._last
                and place in self._after[place]
                and self._characters[place] == _ANY
                for place in positions
            )
            found = self._states[positions, accepts] = _State(
                positions, accepts, on or not (positions or accepts)
            )
        return found
