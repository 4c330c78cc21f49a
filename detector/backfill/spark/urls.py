"""Paths as a state has them, and the URLs by which an engine reads the same files."""

from __future__ import annotations

import re

S3_START = r"^s3[an]?://"
"""How the URL of an object begins, as a regular expression of Python's and Java's."""
FILE_START = r"^file:/+"
"""How the URL of a file begins, likewise."""
_GLOB = re.compile(r"([\[\]{}*?\\])")


def recorded_path(url: str) -> str:
    """Return the path of a file, as a scan would have it, from an engine's URL."""
    return re.sub(FILE_START, "/", re.sub(S3_START, "s3://", url))


def engine_url(path: str, scheme: str = "s3") -> str:
    """Return the URL of a path; ``scheme`` is that by which the cluster reads S3."""
    if path.startswith("s3://"):
        return f"{scheme}://{path[len('s3://') :]}"
    if path.startswith("/"):
        return f"file://{path}"
    return path


def escape_pattern(url: str) -> str:
    """Return a URL as a pattern that only it matches."""
    return _GLOB.sub(r"\\\1", url)
