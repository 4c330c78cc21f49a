"""Errors of reading, each with a reason."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """A reason not to read.

    ``code`` is counted, ``detail`` is for a person.
    """

    code: str
    detail: str


class Unreadable(Exception):
    """A damaged file, or one over a cap: it is quarantined."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = Reason(code, detail)

    def __reduce__(self) -> tuple[type[Unreadable], Reason, dict[str, object]]:
        # From the process that read the file. By itself it would be made again of its text alone.
        return type(self), self.reason, self.__dict__


class Incomplete(Unreadable):
    """A file that ends too early, as one still being written does.

    It is tried again when it has changed.
    """


class NotALog(Unreadable):
    """A sound file without CloudTrail records: it is skipped."""
