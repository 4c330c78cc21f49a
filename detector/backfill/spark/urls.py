"""Paths as a state has them, and the URLs by which an engine reads the same files."""

from __future__ import annotations

import re

_S3 = re.compile(r"s3[an]?://")
_FILE = re.compile(r"file:/+")
_GLOB = re.compile(r"([\[\]{}*?\\])")


def recorded_path(url: str) -> str:
    """Return the path of a file, as a scan would have it, from an engine's URL."""
    return _FILE.sub("/", _S3.sub("s3://", url, count=1), count=1)


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
