"""Conversion of paths, as ``os.fsdecode`` returns them, to text that UTF-8 can encode."""

from __future__ import annotations

import os

_TO_PRIVATE = {0xDC00 + byte: 0x10FF00 + byte for byte in range(0x80, 0x100)}
_FROM_PRIVATE = {private: surrogate for surrogate, private in _TO_PRIVATE.items()}


def source_text(path: str) -> str:
    """Return a path for display and JSON; bytes that are not UTF-8 become escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def path_text(path: str) -> str:
    """Return a path as reversible text; bytes that are not UTF-8 become private characters."""
    return path.translate(_TO_PRIVATE)


def path_of_text(text: str) -> str:
    """Return the path from which ``path_text`` made a text."""
    return text.translate(_FROM_PRIVATE)
