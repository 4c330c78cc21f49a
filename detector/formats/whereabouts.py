"""Locates records in texts that could not be read, for messages to the user."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from detector.formats.record_shape import prefix_of_record
from detector.formats.values import squash
from detector.text.late_pattern import late_pattern

_STEPS_CAP = 1_000_000
_NAME = late_pattern(r"[A-Za-z_]\w*")
_STAND_INS = {
    rb"version https://git-lfs\.github\.com/spec/": "a Git LFS pointer: run git lfs pull",
    rb"[^\n]{0,200}/annex/objects/": "a git-annex pointer: run git annex get",
    rb"(?:<\?xml[^>]*>\s*)?<Error><Code>": "an error that S3 answered: download it again",
}
"""What a file contains if its download failed, by the beginning of its text."""
_FIELD = late_pattern(rb"event_?source\W{0,20}[a-z0-9-]+\.amazonaws\.com", re.IGNORECASE)


class Whereabouts(NamedTuple):
    """The number of records, and the path to the first in jq's syntax."""

    records: int
    path: str


def locate_records(data: bytes) -> Whereabouts | None:
    """Find records at any depth; None if there are none."""
    pending: list[tuple[str, Any]] = [("", data.decode("utf-8", "replace"))]
    count, first = 0, ""
    for _ in range(_STEPS_CAP):
        if not pending:
            break
        path, value = pending.pop()
        if isinstance(value, str):
            inner = _decoded(value)
            if inner is not None:
                pending.append((f"{path}|fromjson" if path else "", inner))
        elif isinstance(value, list):
            pending += reversed([(f"{path}[{index}]", inner) for index, inner in enumerate(value)])
        elif isinstance(value, dict):
            if prefix_of_record({squash(name) for name in value}) is None:
                pending += reversed([(path + _step(name), value[name]) for name in value])
            else:
                count, first = count + 1, first or path
    return Whereabouts(count, first or ".") if count else None


def _decoded(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _step(name: str) -> str:
    return f".{name}" if _NAME.fullmatch(name) else f"[{json.dumps(name)}]"


def foreign_detail(text: bytes) -> str:
    """Describe a text that is not JSON: a stand-in for a file, or records in another form."""
    for beginning, meaning in _STAND_INS.items():
        if re.match(beginning, text):
            return f"not JSON, but {meaning}"
    fields = list(_FIELD.finditer(text))
    if not fields:
        return "not JSON"
    line = text.count(b"\n", 0, fields[0].start()) + 1
    return (
        f"not JSON, but holds CloudTrail records at line {line} ({len(fields)} eventSource "
        "in what was looked at): convert it to JSON Lines"
    )
