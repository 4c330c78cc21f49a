"""Reading resumes at any chunk, and finds every record again."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cloudtrail.record import loads
from detector.detection.digest import digest, merge
from detector.detection.signature_cache import SignatureCache
from detector.formats import chunks, read_chunks
from detector.formats.native import cut
from detector.investigation.raw_record import raw_record
from detector.rules.dispatch import Dispatch
from tests.detector.formats import forms
from tests.detector.strategies import File, files, trails
from tests.detector.trail import rules, write


@st.composite
def contents(draw: st.DrawFn) -> File:
    """Draw a file of records, plain or in one or two containers."""
    file = draw(files(draw(trails())[:40]).filter(bool).map(lambda made: made[0]))
    if draw(st.booleans()):
        return file
    name = draw(st.sampled_from(list(forms.CONTAINERS)))
    return File(file.name, forms.CONTAINERS[name](file.content), f"{file.how}, {name}")


@settings(max_examples=40)
@given(contents(), st.integers(700, 4000))
def test_read_chunks_resumes_at_any_chunk(file: File, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        for limit in ("BLOCK", "SNIFF", "LINES_CHUNK"):
            patch.setattr(chunks, limit, size)
        read = [
            (chunk.offset, bytes(chunk.data)) for chunk in read_chunks(io.BytesIO(file.content))
        ]
        for index, (offset, _) in enumerate(read):
            resumed = [
                (chunk.offset, bytes(chunk.data))
                for chunk in read_chunks(io.BytesIO(file.content), offset)
            ]
            assert resumed == read[index:]
        path = str(write(Path(folder), file.name, file.content))
        dispatch, cache = Dispatch(rules()), SignatureCache()
        merged = merge(
            digest(path, chunk, dispatch, cache).partial
            for chunk in read_chunks(io.BytesIO(file.content))
        )
        for event in (kept.event(identity) for identity, kept in merged.hits.items()):
            given_id = loads(raw_record(event)).get("eventID")
            assert given_id == event.event_id if given_id else event.event_id.startswith("sha256:")


@pytest.mark.parametrize("has_native", [True, False])
@pytest.mark.parametrize("count", [2, 3, 4, 6, 7])
def test_chunk_has_so_many_lines_at_most(
    count: int, has_native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "LINES_CAP", 3)
    if not has_native:
        monkeypatch.setattr(cut, "LIBRARY", None)
    text = b'{"a":"{"}\n' * count
    parts = [bytes(chunk.data) for chunk in read_chunks(io.BytesIO(text))]
    assert [part.count(b"\n") for part in parts] == [3] * (count // 3) + [count % 3] * (
        count % 3 > 0
    )
    assert b"".join(parts) == text
