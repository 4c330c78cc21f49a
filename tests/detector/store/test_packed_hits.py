"""Hits that were packed where they were read are those that would be packed when committed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.columns.event_columns import EventColumns
from detector.ingest import united_reads
from detector.ingest.reader import LocalDigester, Task, read_file
from detector.ingest.united_reads import unite_reads
from detector.rules.dispatch import Dispatch
from detector.sources.directory import Directory
from detector.store import FileRead, Store
from detector.store.packing.packed_hits import PackedHits, pack_hits
from detector.store.packing.packer import SEGMENT_ROWS, pack_columns
from detector.store.packing.segment import Segment
from tests.clock import Clock
from tests.detector.store.file_rows import file_values
from tests.detector.store.test_conversion import rows_of
from tests.detector.store.test_segment import golden
from tests.detector.store.test_segments import ONE, event
from tests.detector.trail import REGIONS, START, Raw, call, rules, sweep, write

UUID = "2f1c3c3e-0000-4000-8000-00000000000"
records = st.builds(
    call,
    st.sampled_from([0, 1, 31]),
    st.sampled_from(REGIONS[:4]),
    st.sampled_from([None, "same", f"{UUID}1"]),
)
"""Calls of which some are copies, and some claim to be others."""
commits = st.lists(
    st.lists(st.lists(st.lists(records, max_size=4), min_size=1, max_size=2), max_size=3),
    min_size=1,
    max_size=2,
)
"""Records by commit, group and file."""


def reads_of(folder: Path, files: dict[str, list[Raw]]) -> list[FileRead]:
    for name, them in files.items():
        write(folder, name, them)
    digester = LocalDigester(Dispatch(rules()))
    tasks = [Task(file, None, 1, is_final=True) for file in Directory([folder]).sweep()]
    return [
        read
        for task in sorted(tasks, key=lambda task: task.file.path)
        for read in read_file(task, digester)
        if Path(task.file.path).name in files
    ]


def united(reads: Sequence[FileRead]) -> list[FileRead]:
    """Return what another process sends of reads."""
    reads = copy.deepcopy(list(reads))
    unite_reads(reads)
    sent: list[FileRead] = pickle.loads(pickle.dumps(reads))
    return sent


def content(store: Store) -> list[Any]:
    store.derivation.derive()
    sums = file_values(store, "seen", "hits", "duplicate", "first", "last", "sequence")
    counted = (store.files.accounting(), sums)
    sight = store.database.rows("SELECT * FROM sight ORDER BY 1, 2, 3")
    return [store.alerts.all(), rows_of(store), counted, sight]


@pytest.fixture(autouse=True)
def _few_hits_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(united_reads, "LEAST_HITS", 1)


def test_packed_hits_are_of_the_files_that_the_events_came_from() -> None:
    """By numbers, in the order in which the files come, which an id takes the place of later."""
    names = {1: "b.json", 2: "a.json"}
    hits = {
        identity: msgspec.structs.replace(
            row, position=msgspec.structs.replace(row.position, source=names[file_id])
        )
        for identity, row, file_id, _ in golden()
    }
    (at_once,) = pack_columns(EventColumns(hits), {"a.json": 2, "b.json": 1}, 7)
    assert list(at_once.segment().rows()) == [row._replace(generation=7) for row in golden()]
    packed = pack_hits(EventColumns(hits))
    assert packed.paths == ["b.json", "a.json"]
    assert packed.identities() == hits.keys()
    assert packed.rules() == {"one", "two"}
    assert packed.counts() == {"b.json": 3, "a.json": 4}
    assert list(packed.events()) == list(hits.items())
    placed = packed.placed({"a.json": 2, "b.json": 1}, 7)
    rows = [row for each in placed for row in each.segment().rows()]
    assert rows == [row._replace(generation=7) for row in golden()]


def test_many_packed_hits_are_in_several_segments() -> None:
    rows = {
        number.to_bytes(16, "big"): event(number * 7 % 9000, matches=((ONE, ()),))
        for number in range(2 * SEGMENT_ROWS + 1)
    }
    packed = pack_hits(EventColumns(rows))
    sizes = [each.rows for each in packed.segments]
    assert (len(sizes), sum(sizes)) == (3, 2 * SEGMENT_ROWS + 1)
    assert max(sizes) - min(sizes) <= 1
    assert packed.identities() == rows.keys()
    assert packed.counts() == {"x": 2 * SEGMENT_ROWS + 1}
    times = [row.time for _, row in packed.events()]
    assert times == sorted(row.time for row in rows.values())


@given(commits)
@settings(deadline=None)
def test_packed_hits_are_those_that_the_store_packs(
    content_of: list[list[list[list[Raw]]]],
) -> None:
    with (
        TemporaryDirectory() as folder,
        closing(Store.open(None)) as one,
        closing(Store.open(None)) as other,
    ):
        one.use(rules())
        other.use(rules())
        for number, groups in enumerate(content_of):
            reads = [
                reads_of(
                    Path(folder),
                    {f"{number}-{group}-{file}.json": them for file, them in enumerate(files)},
                )
                for group, files in enumerate(groups)
            ]
            one.commit([read for group in reads for read in group])
            other.commit([read for group in reads for read in united(group)])
        assert content(one) == content(other)


def commit_to_both(
    folder: Path, records: list[Raw], monkeypatch: pytest.MonkeyPatch, *stores: Store
) -> int:
    """Commit reads as they are to one store and packed to the other; return how many rows are
    written without being looked at."""
    whole = []
    placed = PackedHits.placed

    def counting(self: PackedHits, *ids: Any) -> Any:
        whole.extend(self.segments)
        return placed(self, *ids)

    monkeypatch.setattr(PackedHits, "placed", counting)
    reads = reads_of(folder, {f"{len(list(folder.iterdir()))}.json": records})
    one, other = stores
    one.commit(copy.deepcopy(reads))
    other.commit(united(reads))
    return sum(packed.rows for packed in whole)


@pytest.fixture
def pair() -> Any:
    clock = Clock(START + 4000.0)
    with closing(Store.open(None, clock)) as one, closing(Store.open(None, clock)) as other:
        for store in (one, other):
            store.use(rules())
        yield one, other


def test_new_hits_are_written_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[Store, Store]
) -> None:
    assert commit_to_both(tmp_path, sweep(12), monkeypatch, *pair) == 12
    packed = pair[1].database.rows("SELECT identities, body FROM segment")
    assert [len(Segment.unpack(*row)) for row in packed] == [12]
    assert content(pair[0]) == content(pair[1])


def test_copies_of_what_is_stored_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[Store, Store]
) -> None:
    assert commit_to_both(tmp_path, sweep(12), monkeypatch, *pair) == 12
    assert commit_to_both(tmp_path, [*sweep(1), call(7)], monkeypatch, *pair) == 0
    assert pair[1].files.accounting().records_duplicate == 1
    assert content(pair[0]) == content(pair[1])


def test_copies_in_one_commit_are_looked_at(tmp_path: Path, pair: tuple[Store, Store]) -> None:
    one = reads_of(tmp_path, {"1.json": [call(7), call(0)]})
    two = reads_of(tmp_path, {"2.json": [call(0), call(8)]})
    pair[0].commit(copy.deepcopy([*two, *one]))
    pair[1].commit([*united(two), *united(one)])
    assert pair[1].files.accounting().records_duplicate == 1
    assert content(pair[0]) == content(pair[1])


def test_hits_of_unknown_rules_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[Store, Store]
) -> None:
    for store in pair:
        store.rules.in_use = {}
    assert commit_to_both(tmp_path, sweep(12), monkeypatch, *pair) == 0
    assert not any(row.row.matches for row in rows_of(pair[1]))
    assert content(pair[0]) == content(pair[1])


def test_hits_of_evicted_windows_are_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[Store, Store]
) -> None:
    commit_to_both(tmp_path, [call(0), call(3000)], monkeypatch, *pair)
    for store in pair:
        store.derivation.derive()
        store.database.clock.now += 10_000  # type: ignore[attr-defined]
        assert store.retention.evict(1000)[0] == 1
    assert commit_to_both(tmp_path, [call(1, "eu-west-1")], monkeypatch, *pair) == 0
    late = [store.files.accounting().late_dropped for store in pair]
    assert late == [1, 1]
    assert content(pair[0]) == content(pair[1])
