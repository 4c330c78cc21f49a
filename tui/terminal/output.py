"""Which of its streams the app draws on."""

from __future__ import annotations

import sys
from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is open and a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def is_error_redirected() -> bool:
    """Tell whether standard error, on which Textual draws, leads elsewhere than to a terminal.

    The app draws on standard output then: somebody keeps a protocol of what goes wrong."""
    return not is_terminal(sys.__stderr__)
