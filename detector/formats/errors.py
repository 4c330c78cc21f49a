"""Why something is not read."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """Why something was not read: ``code`` is counted, ``detail`` is for a person."""

    code: str
    detail: str


class Unreadable(Exception):
    """The file is damaged or over a cap: it goes to quarantine."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = Reason(code, detail)


class Incomplete(Unreadable):
    """The file ends too early, as one that is still being written does: it is tried again when it
    has changed."""


class NotALog(Unreadable):
    """The file is sound but holds no CloudTrail records: it is skipped."""
