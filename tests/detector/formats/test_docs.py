"""The page on formats is complete: containers, and reasons not to read."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from detector.formats import (
    containers,
    record_shape,
    records,
    search,
)
from detector.formats.foreign import known_documents

PAGE = (Path(__file__).parents[3] / "docs/formats.md").read_text(encoding="utf-8")
_REASON = re.compile(
    r'(?:NonRecord\(\s*"\w+",\s*|Missing\(|return |"event\w+": |"awsRegion": |\(|else )"'
    r'([a-z0-9]+(?:-[a-z0-9]+)+)"'
)


@pytest.mark.parametrize("name", [container.name for container in containers.CONTAINERS])
def test_page_names_container(name: str) -> None:
    assert name in PAGE


@pytest.mark.parametrize("module", [known_documents, record_shape, records, search])
def test_page_names_reason(module: object) -> None:
    reasons = set(_REASON.findall(inspect.getsource(module)))  # type: ignore[arg-type]
    assert reasons
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} <= {
        "detail-type",
        "truncated-json",
        "corrupt-json",
    }
