"""Exit statuses, and the errors that end a command with one line."""

from __future__ import annotations

RAN, FAILED, MISUSED, FOUND = 0, 1, 2, 10
"""Exit statuses; FOUND only with ``--exit-code``."""


class Failure(Exception):
    """A command cannot go on; one line says what happened and what to do."""

    status = FAILED


class Misuse(Failure):
    """What was asked for makes no sense; nothing was done."""

    status = MISUSED
