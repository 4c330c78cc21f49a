"""Keys that are not paths, listed and read unchanged by boto3.

S3 allows any text as a key. obstore treats keys as paths: it rejects keys that contain an empty
part, ``.``, ``..`` or a control character, rejects a whole listing that contains such a key, and
drops a key's leading slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from detector.sources.source import Unavailable
from detector.text.installation import extra_command

Listed = tuple[str, int, str | None]
"""The key, size and ETag of an object."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RawPage(NamedTuple):
    """One page of a listing: the prefixes below, with their final slash, and the objects."""

    prefixes: list[str]
    objects: list[Listed]


def is_path(key: str) -> bool:
    """Tell whether a key can be treated as a path."""
    return not _CONTROL.search(key) and not {"", ".", ".."}.intersection(key.split("/"))


def list_raw(
    bucket: str, region: str, prefix: str, after: str | None = None, delimiter: str = ""
) -> Iterator[RawPage]:
    """List all keys that begin with ``prefix``, in order, page by page.

    Raises Unavailable without boto3, and botocore's errors.
    """
    options: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter}
    if after is not None:
        options["StartAfter"] = after
    for page in _client(region).get_paginator("list_objects_v2").paginate(**options):
        yield RawPage(
            [each["Prefix"] for each in page.get("CommonPrefixes", [])],
            [(each["Key"], each["Size"], each.get("ETag")) for each in page.get("Contents", [])],
        )


def read_raw(bucket: str, region: str, key: str, first_byte: bool = False) -> bytes:
    """Read an object, or only its first byte. Raises as ``list_raw`` does."""
    options = {"Range": "bytes=0-0"} if first_byte else {}
    content: bytes = _client(region).get_object(Bucket=bucket, Key=key, **options)["Body"].read()
    return content


def head_raw(bucket: str, region: str, key: str) -> Listed:
    """Get an object's size and ETag without reading it. Raises as ``list_raw`` does."""
    head = _client(region).head_object(Bucket=bucket, Key=key)
    return key, head["ContentLength"], head.get("ETag")


@lru_cache(8)
def _client(region: str) -> Any:
    try:
        import boto3
    except ImportError:
        raise Unavailable(
            "quarantined",
            "odd-key",
            "there are keys with an empty part, '.', '..' or control characters: "
            f"to read them, {extra_command('aws')}",
        ) from None
    return boto3.client("s3", region_name=region)
