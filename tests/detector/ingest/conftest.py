"""The fixtures that the tests of ingest share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from detector.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    """Return a store in memory."""
    with closing(Store.open(None)) as opened:
        yield opened
