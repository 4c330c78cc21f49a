"""The native cut gives what Python gives, or declines."""

from __future__ import annotations

import gzip
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats import Chunk, KnownHeads
from detector.formats.heads import known_heads
from detector.formats.native import cut
from detector.formats.native import library as native_library
from detector.formats.records import cut_in_python, records_of_spans
from fuzz.targets import native
from tests.detector.formats.native.mutations import mutated_documents, plain_documents
from tests.detector.trail import call, document, lines

HERE = Path(__file__).parent
SAMPLE = HERE.parents[3] / "sample_logs"
SHARED = Path(os.environ.get("TRAILHOUND_DATA", HERE.parents[4] / "shared" / "data"))

needs_native = pytest.mark.skipif(
    not cut.is_available(), reason="the native cut was not built: no C compiler, or switched off"
)


def outcome(records: Any) -> tuple[Any, ...]:
    groups = list(records.by_signature.items())
    return groups, list(records.times), [records.raw(index) for index in range(len(records))]


def is_cut(data: bytes, is_lines: bool = False) -> bool:
    """Cut data natively, and hold the records against those of Python; False where declined."""
    view = memoryview(bytearray(data))
    spans = cut.cut(view, is_lines, KnownHeads())
    if spans is None or spans.groups is None:
        return False
    chunk = Chunk(0, view, is_lines)
    assert outcome(records_of_spans(view, spans, spans.groups)) == outcome(
        cut_in_python(chunk, view, KnownHeads())
    )
    return True


@needs_native
@pytest.mark.parametrize("count", [0, 1, 2, 700])
def test_documents_and_lines_are_cut(count: int) -> None:
    records = [call(at=index, eventName=f"Call{index % 7}") for index in range(count)]
    assert is_cut(document(records))
    assert is_cut(lines(records), is_lines=True) or not records  # of nothing, nothing is made


@needs_native
def test_sample_logs_are_cut() -> None:
    paths = sorted(SAMPLE.rglob("*CloudTrail/**/*.json.gz"))
    assert paths
    assert all(is_cut(gzip.decompress(path.read_bytes())) for path in paths[::7])


@needs_native
def test_real_trail_is_cut() -> None:
    paths = sorted((SHARED / "invictus-ir").glob("*.json"))
    if not paths:
        pytest.skip(f"no real records in {SHARED}: set TRAILHOUND_DATA")
    declined = [path.name for path in paths if not is_cut(path.read_bytes())]
    assert len(declined) <= len(paths) // 100


RECORD = document([call()])


@needs_native
@pytest.mark.parametrize(
    "data",
    {
        "empty": b"",
        "no object": b"7",
        "no records": b'{"records":[]}',
        "records twice": b'{"Records":[],"Records":[]}',
        "text behind": RECORD + b"x",
        "comma at the end": b'{"Records":[{},]}',
        "no comma": b'{"Records":[{}{}]}',
        "element is no object": b'{"Records":[{},1]}',
        "name is no text": b'{"Records":[{"eventName":1}]}',
        "time is no text": b'{"Records":[{"eventTime":[]}]}',
        "caller is no object": b'{"Records":[{"userIdentity":"a"}]}',
        "read-only is no boolean": b'{"Records":[{"readOnly":"true"}]}',
        "key twice": b'{"Records":[{"eventName":"a","eventName":"b"}]}',
        "caller twice": b'{"Records":[{"userIdentity":{},"userIdentity":{}}]}',
        "caller's key twice": b'{"Records":[{"userIdentity":{"arn":"a","arn":"b"}}]}',
        "escape in a key": b'{"Records":[{"event\\u004eame":"a"}]}',
        "escape in a caller's key": b'{"Records":[{"userIdentity":{"\\u0061rn":"a"}}]}',
        "control character": b'{"Records":[{"eventName":"a\x01"}]}',
        "no UTF-8": b'{"Records":[{"eventName":"\xff"}]}',
        "overlong": b'{"Records":[{"x":"\xc0\x80"}]}',
        "encoded surrogate": b'{"Records":[{"x":"\xed\xa0\x80"}]}',
        "lone surrogate": b'{"Records":[{"x":"\\ud800"}]}',
        "unknown escape": b'{"Records":[{"x":"\\x"}]}',
        "leading zero": b'{"Records":[{"x":01}]}',
        "long number": b'{"Records":[{"x":%s}]}' % (b"1" * 33),
        "NaN": b'{"Records":[{"x":NaN}]}',
        "deep": b'{"Records":[{"x":%s%s}]}' % (b"[" * 70, b"]" * 70),
        "cut off": RECORD[:-5],
        "cut off in a string": RECORD[: RECORD.index(b"DescribeInstances") + 4],
    }.items(),
    ids=lambda item: item[0],
)  # fmt: skip
def test_odd_document_is_declined(data: tuple[str, bytes]) -> None:
    assert cut.cut(memoryview(bytearray(data[1])), False, KnownHeads()) is None


@needs_native
@pytest.mark.parametrize(
    "text",
    [b'{"eventName":"a"} {"eventName":"b"}', b'{"eventName":\n"a"}', b'["a"]', b'{"a":1}x'],
)
def test_odd_line_is_declined(text: bytes) -> None:
    assert cut.cut(memoryview(bytearray(text)), is_lines=True) is None


@needs_native
@pytest.mark.parametrize("width", range(0, 66, 3))
def test_strings_are_checked_wherever_they_lie(width: int) -> None:
    text = b'{"Records":[{"x":"%s%s","eventName":"a"}]}'
    for valid in (rb"\\\\", rb"\"", rb"\ud83d\ude00\"", "é😀".encode(), rb"\\\u00e9"):
        assert is_cut(text % (b"a" * width, valid))
    for odd in (b"\\" * 3, rb"\ud83d\"", rb"\u00g0", "😀".encode()[:3], b"\t", b"\x80", rb"\ude00"):
        data = memoryview(bytearray(text % (b"a" * width, odd)))
        assert cut.cut(data, is_lines=False) is None


@needs_native
def test_times_of_other_forms_are_parsed_in_python() -> None:
    times = ["2026-03-01T11:30:00.123Z", "2026-02-29T00:00:00Z", "1969-12-31T23:59:59Z", "", None]
    times += ["2026-03-01T11:30:60Z", "2024-02-29T23:59:59Z", "2026-03-01T24:00:00Z"]
    times += ["9998-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "0000-01-01T00:00:00Z"]
    times += ["1970-01-01T00:00:00Z", "2000-02-29T12:00:00Z", "2100-02-29T12:00:00Z"]
    times += [f"{year}-{month:02}-01T00:00:01Z" for year in (2023, 2024) for month in range(1, 13)]
    records = [{**call(), "eventTime": time} for time in times]
    assert is_cut(document(records))


@needs_native
def test_absent_and_null_are_one_group() -> None:
    absent = {name: value for name, value in call().items() if name != "errorCode"}
    records = [absent, {**absent, "errorCode": None}, absent, {**absent, "errorCode": "x"}]
    view = memoryview(bytearray(document(records)))
    spans = cut.cut(view, False, KnownHeads())
    assert spans is not None and spans.groups is not None
    assert list(records_of_spans(view, spans, spans.groups).by_signature.values()) == [
        [0, 1, 2],
        [3],
    ]


@needs_native
def test_known_heads_change_nothing() -> None:
    absent = {name: value for name, value in call().items() if name != "errorCode"}
    null = {**absent, "errorCode": None}
    long = {**absent, "userAgent": "a" * 5000}
    known = KnownHeads(limit=2)
    for records in ([absent, long], [null], [absent, null, long, absent], [{}, long, null]):
        view = memoryview(bytearray(document(records)))
        known.trim()
        spans = cut.cut(view, False, known)
        assert spans is not None and spans.groups is not None
        found = records_of_spans(view, spans, spans.groups)
        assert outcome(found) == outcome(cut_in_python(Chunk(0, view, False), view, KnownHeads()))
        groups = found.groups
        assert isinstance(groups, cut.HeadGroups)
        spans_found = list(zip(groups.firsts, groups.lasts, strict=True))
        for span, (_, indexes) in zip(spans_found, groups.listed(), strict=True):
            times = [found.times[index] for index in indexes]
            assert None in times or span == (min(times), max(times))


@needs_native
def test_heads_of_the_same_text_are_one_however_it_is_written() -> None:
    texts = (rb"a\u00e9b", "aéb".encode(), rb"\u0061\u00e9b", b"a", b"a" * 3000, b"a" * 5000)
    data = b"[%s]" % b",".join(b'{"userAgent":"%s"}' % text for text in (*texts, *texts))
    known = KnownHeads()
    for _ in range(2):
        spans = cut.cut(memoryview(bytearray(data)), False, known)
        assert spans is not None and spans.groups is not None
        found = records_of_spans(memoryview(data), spans, spans.groups).by_signature
        assert list(found.values()) == [[0, 1, 2, 6, 7, 8], [3, 9], [4, 10], [5, 11]]


@needs_native
def test_texts_have_one_number_whatever_follows() -> None:
    known = KnownHeads()
    for follows in (b"", b" ", b" " * 99):
        records = [b'{"userAgent":"%s"%s}' % (b"a" * size, follows) for size in range(70)]
        data = memoryview(bytearray(b"[%s]" % b",".join(records)))
        assert cut.cut(data, False, known)
        sizes = known.table().structure.texts, known.table().structure.heads
        assert sizes == (1 + 70, 1 + 70)


@needs_native
def test_callers_are_known_by_all_of_their_bytes() -> None:
    callers = [
        {
            "type": "AssumedRole",
            "principalId": "A" * 200,  # beyond what callers are looked up by
            "arn": f"arn:aws:sts::1:assumed-role/{role}/session",
            "accountId": account,
            "sessionContext": {"sourceIdentity": 'a"b\\' * quotes},
        }
        for role in ("reader", "writer")
        for account in ("1", "2", None)
        for quotes in (0, 1, 300)
    ]
    records = [
        call(at=index, userIdentity=callers[index * index % len(callers)], awsRegion=region)
        for index in range(60)
        for region in ("us-east-1", "us-east-2")
    ]
    data = document(records)
    assert is_cut(data)
    assert is_cut(lines(records), is_lines=True)
    broken = b'"accountId"', b'"accountId",'
    assert not is_cut(data[:-5000] + data[-5000:].replace(*broken))


@needs_native
@given(
    st.lists(st.text('a"\\\n\u00e9\U0001f600', max_size=5), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300)), min_size=2, max_size=12),
    st.booleans(),
)
def test_callers_are_passed_over_wherever_they_end(
    names: list[str], calls: list[tuple[int, int]], is_lines: bool
) -> None:
    """The search for quotes may be within a caller that is known, before it or behind it."""
    records = [
        call(
            at=index,
            requestParameters={"pad": "p" * pad},
            userIdentity={"arn": f"{'a' * 170}{number}", "more": names[number % len(names)] * 60},
            errorMessage=names[0],
        )
        for index, (number, pad) in enumerate(calls)
    ]
    assert is_cut(lines(records) if is_lines else document(records), is_lines)


@needs_native
def test_heads_without_room_are_forgotten_or_get_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_heads, "TABLE_CAPACITY", 4)
    known = KnownHeads()
    for first in (0, 1, 2, 0):
        names = [f"Call{number}" for number in range(first, first + 2 + 9 * first)]
        view = memoryview(bytearray(document([call(eventName=name) for name in names])))
        spans = cut.cut(view, False, known)
        assert spans is not None and spans.groups is not None
        found = records_of_spans(view, spans, spans.groups)
        assert [signature.event_name for signature in found.by_signature] == names


@needs_native
def test_declined_chunks_leave_nothing_behind() -> None:
    known = KnownHeads()
    assert cut.cut(memoryview(bytearray(document([call(), call(eventName="New")]))), False, known)
    table = known.table()
    sizes = table.structure.texts, table.structure.heads, table.text_bytes
    data = document([call(eventName=f"Call{number}") for number in range(50)])
    assert cut.cut(memoryview(bytearray(data[:-1])), False, known) is None
    assert known.table() is table
    assert (table.structure.texts, table.structure.heads, table.text_bytes) == sizes
    assert cut.cut(memoryview(bytearray(data)), False, known)


@needs_native
def test_arrays_grow_for_many_small_records() -> None:
    assert is_cut(b"[" + b",".join([b"{}"] * 5000) + b"]")


@needs_native
@pytest.mark.parametrize("seed", range(4))
def test_mutated_documents_are_cut_alike_or_declined(seed: int) -> None:
    for data in mutated_documents(1500, seed):
        native(data)


@needs_native
def test_plain_documents_are_cut() -> None:
    surrogate_free = [data for data in plain_documents() if b"\\ud8" not in data.lower()]
    assert sum(is_cut(data) or is_cut(data, is_lines=True) for data in surrogate_free) > 10


def test_switch_takes_the_path_in_python() -> None:
    code = "from detector.formats.native import cut; print(cut.is_available())"
    environment = {**os.environ, "TRAILHOUND_NATIVE": "0"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


@needs_native
def test_library_of_other_sources_is_not_used(tmp_path: Path) -> None:
    folder = Path(native_library.__file__).parent
    for path in [*folder.glob("*.[ch]"), folder / "cut.library"]:
        shutil.copy(path, tmp_path)
    module = shutil.copy(folder / "library.py", tmp_path)

    def is_outdated() -> bool:
        spec = importlib.util.spec_from_file_location("library_beside_other_sources", module)
        assert spec is not None and spec.loader is not None
        library = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(library)
        assert (library.LIBRARY is None) == library.is_outdated()
        return bool(library.is_outdated())

    assert not is_outdated()
    with open(tmp_path / "sums.h", "a") as file:
        file.write("/* newer */\n")
    assert is_outdated()


def _write(folder: Path, documents: Iterable[bytes]) -> list[str]:
    paths = []
    for number, data in enumerate(documents):
        path = folder / str(number)
        path.write_bytes(data)
        paths.append(str(path))
    return paths


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: the native cut is not run with sanitizers")
    program = tmp_path / "harness"
    built = subprocess.run(
        [
            compiler, "-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
            "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
            f"-I{Path(cut.__file__).parent}", "-o", str(program), str(HERE / "harness.c"),
        ],
        capture_output=True,
        text=True,
    )  # fmt: skip
    if "cannot find" in built.stderr:
        pytest.skip("the compiler has no sanitizers: the native cut is not run with them")
    assert built.returncode == 0, built.stderr
    paths = _write(tmp_path, [*plain_documents(), *mutated_documents(3000, 99)])
    ran = subprocess.run([str(program), *paths], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 500
