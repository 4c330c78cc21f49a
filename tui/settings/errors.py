"""Exit statuses, and the errors that end a command with one line."""

from __future__ import annotations

EXIT_OK, EXIT_FAILED, EXIT_MISUSED, EXIT_INCOMPLETE, EXIT_ALERTS = 0, 1, 2, 3, 10
"""Exit statuses; EXIT_INCOMPLETE only with ``--strict``, EXIT_ALERTS only with ``--exit-code``."""


class CommandError(Exception):
    """A command cannot go on; the message says what to do."""

    status = EXIT_FAILED


class UsageError(CommandError):
    """The arguments make no sense; nothing was done."""

    status = EXIT_MISUSED
