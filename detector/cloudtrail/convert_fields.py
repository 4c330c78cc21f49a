"""Conversion of JSON objects whose fields have unexpected types."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def convert_fields(struct: type[Any], value: dict[str, Any]) -> Any:
    """Convert a JSON object to a struct, dropping values that do not fit."""
    converted = {}
    for field in msgspec.structs.fields(struct):
        inner = value.get(field.encode_name)
        if inner is not None:
            inner = _convert(field.type, inner)
        if inner is not None:
            converted[field.name] = inner
    return struct(**converted)


def _convert(field_type: Any, value: Any) -> Any:
    if field_type is msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode(value))
    inner_type = next(inner for inner in field_type.__args__ if inner is not type(None))
    if inner_type is str:
        return _to_text(value)
    if inner_type is bool:
        return _to_bool(value)
    return convert_fields(inner_type, value) if isinstance(value, dict) else None


def _to_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _to_bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None
