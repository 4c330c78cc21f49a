"""The counterpart of ``callers`` in Python: callers and views by numbers."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from detector.formats.heads.callers import CALLER_BYTES, CALLER_CAPACITY, KnownCallers


class DecodedCallers:
    """The questions that callers refuse, as bits, and the facts derived from views, by number.

    They only affect speed, never a result."""

    def __init__(self, capacity: int = CALLER_CAPACITY, size: int = CALLER_BYTES) -> None:
        self._sizes = capacity, size
        self.views: dict[int, Any] = {}
        self._forget()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        capacity, size = self._sizes
        count = max(len(self._callers), len(self._view_numbers))
        return count >= capacity or self._size > size

    def trim(self) -> None:
        """Forget everything if the limits are reached."""
        if self.is_full:
            self._forget()

    def number(self, caller: bytes) -> int:
        """Return the number of a caller, from 1 on; a new caller is added."""
        number = self._callers.get(caller)
        if number is None:
            number = self._callers[caller] = len(self._callers) + 1
            self._size += len(caller)
        return number

    def view_number(self, head: int, caller: int, message: bytes, has_code: bool) -> int:
        """Return the number of a view, from 1 on; ``head`` and ``caller`` are given by number."""
        key = head, caller, message, has_code
        number = self._view_numbers.get(key)
        if number is None:
            number = self._view_numbers[key] = len(self._view_numbers) + 1
            self._size += len(message)
        return number

    def refuses(self, number: int, question: int) -> bool:
        """Return whether a caller is known to refuse a question, given as a bit."""
        return bool(self._refused.get(number, 0) & question)

    def refuse(self, number: int, question: int) -> None:
        """Remember that a caller refuses a question, given as a bit; number 0 is no caller."""
        if number:
            self._refused[number] = self._refused.get(number, 0) | question

    def keep_views_of(self, heads: Container[int]) -> None:
        """Forget the facts of all views except those of these heads."""
        left = {number for (head, *_), number in self._view_numbers.items() if head in heads}
        self.views = {view: it for view, it in self.views.items() if view in left}

    def _forget(self) -> None:
        self.views = {}
        self._callers: dict[bytes, int] = {}
        self._view_numbers: dict[tuple[int, int, bytes, bool], int] = {}
        self._refused: dict[int, int] = {}
        self._size = 0


HitCallers = KnownCallers | DecodedCallers
