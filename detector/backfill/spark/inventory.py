"""The manifest of an S3 Inventory: where its lists of objects are, and in which form.

The manifest is that of the Amazon S3 User Guide, "Amazon S3 Inventory list", in CSV or Parquet.
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
    """The lists of an inventory: their format, the names of their columns, and where they are."""

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
    """Parse the manifest of an inventory, whose path tells where its lists are.

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
    """Return the URL of a list; beside a copied manifest, the path of its copy."""
    if recorded_path(manifest).startswith("s3://"):
        return f"s3://{bucket.removeprefix(_ARN)}/{key}"
    folder = manifest
    while folder not in ("", "/"):
        folder = os.path.dirname(folder)
        if os.path.exists(os.path.join(folder, key)):
            return os.path.join(folder, key)
    raise EngineError(f"{manifest}: {key} is not beside it: copy the whole inventory")
