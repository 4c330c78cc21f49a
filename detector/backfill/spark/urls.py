"""Conversion between paths as in a state and the URLs by which an engine reads the files."""

from __future__ import annotations

import re

S3_START = r"^s3[an]?://"
"""The beginning of an object's URL, as a regular expression valid in Python and Java."""
FILE_START = r"^file:/+"
"""The beginning of a file's URL, likewise."""
_GLOB = re.compile(r"([\[\]{}*?\\])")


def recorded_path(url: str) -> str:
    """Return the path that a scan would record for an engine's URL."""
    return re.sub(FILE_START, "/", re.sub(S3_START, "s3://", url))


def engine_url(path: str, scheme: str = "s3") -> str:
    """Return a path's URL; ``scheme`` is the one by which the cluster reads S3."""
    if path.startswith("s3://"):
        return f"{scheme}://{path[len('s3://') :]}"
    if path.startswith("/"):
        return f"file://{path}"
    return path


def escape_pattern(url: str) -> str:
    """Escape a URL so that, as a pattern, it matches only itself."""
    return _GLOB.sub(r"\\\1", url)
