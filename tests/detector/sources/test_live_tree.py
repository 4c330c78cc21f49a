"""Thousands of files that appear while they are watched.

They come by each writer's way of renaming, and none is lost.
"""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest

from benchmarks.writers import WRITERS
from detector.ingest.pipeline import Pipeline, Update
from detector.sources import directory
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.formats import forms
from tests.detector.trail import builtin_rules

FOLDERS, EACH = 60, 30


@pytest.mark.parametrize("existing", [0, 20])
def test_live_tree_loses_no_file(
    existing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only one whole sweep is made: everything after it is found where it is hot.
    monkeypatch.setattr(directory, "_FULL_SWEEP_SECONDS", -1.0)
    monkeypatch.setattr(directory, "_ROUND_SWEEPS", 10**12)
    monkeypatch.setattr("detector.ingest.pipeline._SWEEP_EVERY", 0.05)
    for folder in range(existing):
        (tmp_path / f"a/{folder % 7}/{folder}").mkdir(parents=True)
    records = forms.sweep()
    writers = list(WRITERS.values())

    def write() -> None:
        for number in range(FOLDERS * EACH):
            folder = tmp_path / f"a/{number % FOLDERS % 7}/{number % FOLDERS}"
            folder.mkdir(parents=True, exist_ok=True)
            record = {**records[number % len(records)], "eventID": str(number)}
            writers[number % len(writers)](
                folder / f"{number}.json.gz", gzip.compress(forms.document([record]))
            )

    whole: list[float] = []
    walked = Directory._starts

    def starts(self: Directory) -> list[str]:
        whole.append(self._slice_seconds)
        return walked(self)

    monkeypatch.setattr(Directory, "_starts", starts)
    source, store, stop = Directory([tmp_path]), Store.open(None), threading.Event()
    writing = threading.Thread(target=write)

    def publish(update: Update) -> None:
        if not writing.ident and update.live:
            writing.start()
        sums = update.accounting
        assert sums.files_found == sums.files_read + sums.files_waiting + sum(
            sums.files_skipped.values()
        ) + sum(sums.files_quarantined.values())
        if sums.files_read == FOLDERS * EACH:
            stop.set()

    pipeline = Pipeline(store, builtin_rules(), source, jobs=1)
    pipeline._unpublished.dirty = True
    pipeline.run(stop, publish)
    writing.join()
    sums = store.files.accounting()
    assert (sums.files_read, sums.files_found, sums.records_seen) == (FOLDERS * EACH,) * 3
    assert whole.count(0.0) == 1  # there was no second whole sweep
    store.close()
    source.close()
