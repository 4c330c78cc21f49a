"""The page on formats is complete, and every wrapper has a fixture."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from detector.formats import containers, parse_records, read_chunks, wrappers
from tests.detector.formats import forms as fixtures

PAGE = (Path(__file__).parents[3] / "docs/formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [each.name for each in (*wrappers.WRAPPERS, *containers.CONTAINERS)]
)
def test_page_names_wrapper_and_container(name: str) -> None:
    assert name.lower() in PAGE.lower()


@pytest.mark.parametrize("name", sorted({form.name for form in wrappers.WRAPPERS}))
def test_wrapper_has_fixture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        wrappers,
        "WRAPPERS",
        tuple(
            form._replace(
                open=lambda members, value, form=form: (
                    opened.append(form.name) or form.open(members, value)
                )
            )
            for form in wrappers.WRAPPERS
        ),
    )
    samples = [
        *fixtures.forms(fixtures.sweep()).values(),
        *map(fixtures.lines, fixtures.ASIDE.values()),
    ]
    for data in samples:
        for chunk in read_chunks(io.BytesIO(data)):
            parse_records(chunk)
    assert name in opened
