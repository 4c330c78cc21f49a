"""Path patterns: ``*``, ``?``, ``[…]``, and ``**`` for any number of folders.

The standard library's ``glob`` silently skips folders that it cannot list.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Iterator, Sequence

from detector.sources.os_errors import GONE

OnError = Callable[[str, OSError], None]


def is_pattern(path: str) -> bool:
    """Tell whether a path is a pattern rather than the name of an existing file."""
    return glob.has_magic(path) and not os.path.lexists(path)


def matches_pattern(path: str, pattern: str) -> bool:
    """Tell whether a path may match a pattern."""
    return fnmatch.fnmatchcase(path, pattern)


def expand_pattern(pattern: str, on_error: OnError) -> Iterator[str]:
    """Find the paths that match an absolute pattern, sorted within each folder.

    A hidden name matches only a part that begins with a dot. ``on_error`` is called for each folder
    that cannot be listed.
    """
    parts = [part for part in pattern.split("/") if part]
    yield from dict.fromkeys(_expand("/", parts, on_error, ()))


_Identity = tuple[int, int]


def _expand(
    path: str, parts: Sequence[str], on_error: OnError, above: tuple[_Identity, ...]
) -> Iterator[str]:
    """Find the matches of ``parts`` below ``path``; ``above`` are the folders leading to it."""
    if not parts:
        yield path
        return
    part, *rest = parts
    if not glob.has_magic(part):
        child = os.path.join(path, part)
        if os.path.lexists(child):
            yield from _expand(child, rest, on_error, above)
        return
    if part != "**":
        for name in _names(path, on_error):
            if fnmatch.fnmatchcase(name, part) and not _is_hidden(name, part):
                yield from _expand(os.path.join(path, name), rest, on_error, above)
        return
    identity = _folder_identity(path, on_error)
    if identity is None or identity in above:
        return
    yield from _expand(path, rest, on_error, above)
    for name in _names(path, on_error):
        child = os.path.join(path, name)
        if not _is_hidden(name, part) and os.path.isdir(child):
            yield from _expand(child, parts, on_error, (*above, identity))


def _is_hidden(name: str, part: str) -> bool:
    return name.startswith(".") and not part.startswith(".")


def _names(path: str, on_error: OnError) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        if error.errno not in GONE:
            on_error(path, error)
        return []


def _folder_identity(path: str, on_error: OnError) -> _Identity | None:
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno not in GONE:
            on_error(path, error)
        return None
    return status.st_dev, status.st_ino
