"""Choose the standard stream on which the app draws."""

from __future__ import annotations

import sys
from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is open and a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def is_error_redirected() -> bool:
    """Return whether standard error, on which Textual draws, is not a terminal.

    The user is then logging errors, so the app draws on standard output instead."""
    return not is_terminal(sys.__stderr__)
