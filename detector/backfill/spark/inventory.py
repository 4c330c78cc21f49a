"""The manifest of an S3 Inventory: the location and format of its object lists.

The manifest is described in the Amazon S3 User Guide, "Amazon S3 Inventory list"; lists may be CSV
or Parquet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from detector.backfill.spark.engine_protocol import EngineError
from detector.backfill.spark.urls import recorded_path

_ARN = "arn:aws:s3:::"


class ObjectInventory(NamedTuple):
    """The object lists of an inventory: their format, column names, and locations."""

    format: str
    columns: Sequence[str]
    files: Sequence[str]


class _File(msgspec.Struct):
    key: str


class _Manifest(msgspec.Struct, rename="camel"):
    destination_bucket: str
    file_format: str
    file_schema: str
    files: list[_File]


def parse_manifest(path: str, text: str) -> ObjectInventory:
    """Parse an inventory's manifest; ``path`` is used to locate the lists.

    Raises EngineError."""
    try:
        manifest = msgspec.json.decode(text, type=_Manifest)
    except msgspec.DecodeError as error:
        raise EngineError(f"{path}: no manifest of an S3 Inventory: {error}") from None
    if manifest.file_format not in ("CSV", "Parquet"):
        raise EngineError(
            f"{path}: an inventory in {manifest.file_format}: have S3 write CSV or Parquet"
        )
    columns = [name.strip().lower() for name in manifest.file_schema.split(",")]
    if manifest.file_format == "CSV" and not {"key", "size"} <= set(columns):
        raise EngineError(f"{path}: the inventory has no column Size: add it in S3")
    files = [_place(path, manifest.destination_bucket, file.key) for file in manifest.files]
    return ObjectInventory(manifest.file_format, columns, files)


def _place(manifest: str, bucket: str, key: str) -> str:
    """Return a list's URL; for a copied manifest, the path of the copied list."""
    if recorded_path(manifest).startswith("s3://"):
        return f"s3://{bucket.removeprefix(_ARN)}/{key}"
    folder = manifest
    while folder not in ("", "/"):
        folder = os.path.dirname(folder)
        if os.path.exists(os.path.join(folder, key)):
            return os.path.join(folder, key)
    raise EngineError(f"{manifest}: {key} is not beside it: copy the whole inventory")
