"""Paths as text that UTF-8 can hold. They come as by ``os.fsdecode``, and may have other bytes."""

from __future__ import annotations

import os

_TO_PRIVATE = {0xDC00 + byte: 0x10FF00 + byte for byte in range(0x80, 0x100)}
_FROM_PRIVATE = {private: surrogate for surrogate, private in _TO_PRIVATE.items()}


def source_text(path: str) -> str:
    """Return a path for people and for JSON: bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def path_text(path: str) -> str:
    """Return a path as text that leads back to it: such bytes become private characters."""
    return path.translate(_TO_PRIVATE)


def path_of_text(text: str) -> str:
    """Return the path of a ``path_text``."""
    return text.translate(_FROM_PRIVATE)
