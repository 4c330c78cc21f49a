"""The errors of reading, each with a reason."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """A reason why something is not read.

    Reasons are counted by ``code``; ``detail`` is for people.
    """

    code: str
    detail: str


class Unreadable(Exception):
    """A file that is damaged or exceeds a cap; it is quarantined."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = Reason(code, detail)

    def __reduce__(self) -> tuple[type[Unreadable], Reason, dict[str, object]]:
        # For the process that reads the file: by default, only the text would be pickled.
        return type(self), self.reason, self.__dict__


class Incomplete(Unreadable):
    """A file that ends too early, e.g. because it is still being written.

    It is read again when it has changed.
    """


class NotALog(Unreadable):
    """An intact file without CloudTrail records; it is skipped."""
