"""The numbers that Python gives to heads where the native cut does not."""

from __future__ import annotations

import json
import weakref

from detector.formats import Chunk, KnownHeads
from detector.formats.records import cut_in_python
from detector.ingest.garbage import uncollected
from tests.detector.trail import call


def test_forgotten_heads_are_freed_at_once() -> None:
    """The collector of garbage would come across them much later, and they are megabytes."""
    known = KnownHeads()
    text = json.dumps({"Records": [call(0), call(1)]}).encode()
    with uncollected():
        records = cut_in_python(Chunk(0, memoryview(text), False), memoryview(text), known)
        assert len(known.decoded.heads) == 2
        forgotten = weakref.ref(known.decoded)
        del records
        known.forget()
        assert forgotten() is None
    assert len(known.decoded.heads) == 1
