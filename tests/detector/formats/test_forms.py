"""Every format in every container yields the same records."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from detector.formats import NotALog, Unreadable, parse_records, read_chunks
from detector.ingest.pipeline import Pipeline
from detector.investigation.raw_record import raw_record
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.formats import forms
from tests.detector.trail import builtin_rules

REFERENCE = "393ef120-63d1-11ef-8e38-f661ea17fbce"
RECORDS = forms.sweep()
FORMS = forms.forms(RECORDS)
IDS = sorted(record["eventID"] for record in RECORDS)


def event_ids(data: bytes) -> list[str]:
    ids = []
    for chunk in read_chunks(io.BytesIO(data)):
        records = parse_records(chunk)
        ids += [records.record(index).event_id or "" for index in range(len(records))]
    return sorted(ids)


@pytest.mark.parametrize("form", FORMS)
def test_format_parses_in_every_container(form: str) -> None:
    assert event_ids(FORMS[form]) == IDS
    for name, contain in forms.CONTAINERS.items():
        assert event_ids(contain(FORMS[form])) == IDS, name


def scanned(folder: Path) -> tuple[list, Store]:
    store = Store.open(None)
    Pipeline(store, builtin_rules(), Directory([folder]), jobs=1).scan(lambda _: None)
    return [alert for alert in store.alerts.all() if alert.rule.id == REFERENCE], store


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list:
    folder = tmp_path_factory.mktemp("trail")
    (folder / "trail.json.gz").write_bytes(gzip.compress(FORMS["trail file"]))
    alerts, store = scanned(folder)
    store.close()
    assert [alert.event_ids for alert in alerts] == [IDS]
    return alerts


@pytest.mark.parametrize("form", FORMS)
def test_format_yields_same_alert_and_raw_record(form: str, tmp_path: Path, expected: list) -> None:
    (tmp_path / "file").write_bytes(
        forms.tarred({"readme": b"text", "x.gz": gzip.compress(FORMS[form])})
    )
    alerts, store = scanned(tmp_path)
    try:
        assert [
            (
                alert.alert_id,
                alert.event_ids,
                alert.facets.arns,
                alert.facets.regions,
                alert.facets.denied,
            )
            for alert in alerts
        ] == [
            (
                alert.alert_id,
                alert.event_ids,
                alert.facets.arns,
                alert.facets.regions,
                alert.facets.denied,
            )
            for alert in expected
        ]
        for event in store.alerts.events(alerts[0].alert_id):
            raw = raw_record(event)
            assert event.event_id.encode() in raw
            json.loads(raw)
        sums = store.files.accounting()
        assert (sums.files_read, sums.files_found) == (1, 1)
        assert sums.records_skipped.pop("not-json") == 1  # the readme
        assert set(sums.records_skipped) <= {"control-message", "bulk-action"}
        assert not sums.records_rejected
    finally:
        store.close()


def test_all_formats_together_are_one_alert(tmp_path: Path, expected: list) -> None:
    """Each format as it is and in one of the containers, which take turns: that each reads in each
    is told without a scan."""
    names = itertools.cycle(forms.CONTAINERS)
    for number, data in enumerate(FORMS.values()):
        (tmp_path / f"{number}.plain").write_bytes(data)
        name = next(names)
        (tmp_path / f"{number}.{name}").write_bytes(forms.CONTAINERS[name](data))
    alerts, store = scanned(tmp_path)
    sums = store.files.accounting()
    store.close()
    assert len(FORMS) >= len(forms.CONTAINERS)
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in expected]
    assert alerts[0].event_ids == IDS
    assert sums.files_read == sums.files_found == 2 * len(FORMS)
    assert sums.records_duplicate == (2 * len(FORMS) - 1) * len(IDS)


def test_parquet_is_read_as_rows(tmp_path: Path, expected: list) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pip install 'trailhound[parquet]'")
    from pyarrow import parquet

    rows = pyarrow.Table.from_pylist([forms.ocsf(record) for record in RECORDS])
    parquet.write_table(rows, tmp_path / "lake.parquet")
    alerts, store = scanned(tmp_path)
    events = store.alerts.events(alerts[0].alert_id)
    assert json.loads(raw_record(events[0]))["metadata"]["uid"] == events[0].event_id
    store.close()
    assert [alert.alert_id for alert in alerts] == [alert.alert_id for alert in expected]


@pytest.mark.parametrize(
    ("reason", "value"),
    [(reason, value) for reason, values in forms.ASIDE.items() for value in values],
)
def test_skipped_values_have_reason(reason: str, value: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps(value))
    (tmp_path / "mixed").write_bytes(forms.lines([value, RECORDS[0]]))
    _, store = scanned(tmp_path)
    sums = store.files.accounting()
    store.close()
    skipped = Counter(sums.files_skipped) + Counter(sums.records_skipped)
    assert skipped[reason] == 2 and skipped.total() == 2
    assert sums.records_read == 1 and not sums.records_rejected


COLUMNS = [f"a_column_of_some_length_{number}" for number in range(40)]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n \n" + FORMS["Lake CSV"],
        b"\xef\xbb\xbf" + FORMS["Lake CSV"],
        forms.lake_csv(RECORDS, COLUMNS),
        forms.lake_csv(RECORDS).replace(b'", ""', b'",\n ""'),
        b"".join(b"\xef\xbb\xbf" + forms.lines(part) for part in (RECORDS[:5], RECORDS[5:])),
    ],
    ids=[
        "blank lines first",
        "a mark first",
        "many columns",
        "JSON over lines",
        "files put together with their marks",
    ],
)
def test_format_variant_parses(data: bytes) -> None:
    assert event_ids(data) == IDS


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (
            b"Event name,Event time,User name,Event source\nDescribeInstances,x,y,z\n",
            "event-history-csv",
            "as JSON",
        ),
        (b"eventTime,eventName\nx,y\n", "csv", "eventJson"),
        (b"7z\xbc\xaf'\x1c....", "7z", "7z archive"),
        (b"hello\n", "not-json", "not JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "not-json", "git lfs pull"),
        (b"../.git/annex/objects/SHA256E-s1--1.json\n", "not-json", "git annex get"),
        (b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code>", "not-json", "S3 answered"),
    ],
)
def test_refused_file_says_what_to_do(data: bytes, code: str, says: str) -> None:
    with pytest.raises(NotALog) as refused:
        list(read_chunks(io.BytesIO(data)))
    assert refused.value.reason.code == code
    assert says in refused.value.reason.detail


def test_damaged_member_costs_itself_only(tmp_path: Path) -> None:
    good = gzip.compress(FORMS["trail file"])
    for name, data in (
        (
            "a.zip",
            forms.zipped({"bad.gz": good[:-20], "cut.json": b'{"Records":[', "good.gz": good}),
        ),
        (
            "a.tar",
            forms.tarred({"bad.gz": good[:-20], "cut.json": b'{"Records":[', "good.gz": good}),
        ),
    ):
        (tmp_path / name).write_bytes(data)
    alerts, store = scanned(tmp_path)
    sums = store.files.accounting()
    store.close()
    assert [alert.event_ids for alert in alerts] == [IDS]
    assert sums.records_rejected == {"truncated-gzip": 2, "truncated-json": 2}
    assert sums.files_read == 2


@pytest.mark.parametrize(
    "data",
    [
        forms.tarred({"a.json": FORMS["trail file"]})[:5000],
        gzip.compress(forms.tarred({"a.json": FORMS["trail file"]}))[:400],
        forms.zipped({"a.json": FORMS["trail file"]})[:-30],
        *(forms.CONTAINERS[name](FORMS["trail file"])[:-9] for name in ("zstd", "bzip2", "xz")),
    ],
    ids=["tar", "tar.gz", "zip", "zstd", "bzip2", "xz"],
)
def test_truncated_file_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        for chunk in read_chunks(io.BytesIO(data)):
            parse_records(chunk)


def test_decompression_stops_at_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.formats.decompress.CONTENT_CAP", 1 << 20)
    monkeypatch.setattr("detector.formats.decompress.RATIO_CAP", 1)
    zeros = b"\n" * (8 << 20)
    for data in (
        gzip.compress(zeros),
        gzip.compress(gzip.compress(zeros)),
        forms.zipped({"a": zeros}),
        gzip.compress(forms.tarred({"a": zeros})),
        forms.CONTAINERS["zstd"](zeros),
    ):
        with pytest.raises(Unreadable) as stopped:
            list(read_chunks(io.BytesIO(data)))
        assert stopped.value.reason.code == "bomb"


def test_nested_containers_stop_at_cap() -> None:
    data = FORMS["trail file"]
    for _ in range(9):
        data = gzip.compress(data)
    with pytest.raises(Unreadable) as stopped:
        list(read_chunks(io.BytesIO(data)))
    assert stopped.value.reason.code == "nested-too-deep"


def test_nested_wrappers_stop_at_cap(tmp_path: Path) -> None:
    value: object = RECORDS[0]
    for _ in range(40):
        value = {"message": [value]}
    (tmp_path / "file").write_bytes(forms.lines([value, RECORDS[1]]))
    _, store = scanned(tmp_path)
    sums = store.files.accounting()
    store.close()
    assert sums.records_rejected == {"nested-too-deep": 1} and sums.records_read == 1


DEEP = {**RECORDS[0], "requestParameters": "@"}


@pytest.mark.parametrize(
    "inside", ["[" * 5000 + "]" * 5000, '{"a":' * 990 + "1" + "}" * 990, "1" * 5000]
)
@pytest.mark.parametrize(
    "form",
    [
        "trail file",
        "array",
        "JSON Lines",
        "records one after the other",
        "EventBridge",
        "trail file, pretty",
        "EventBridge, no newlines",
        "SQS",
    ],
)
def test_deep_or_huge_record_costs_itself_at_most(form: str, inside: str, tmp_path: Path) -> None:
    data = forms.forms([DEEP, *RECORDS])[form]
    (tmp_path / "file").write_bytes(data.replace(b'"@"', inside.encode()))
    alerts, store = scanned(tmp_path)
    sums = store.files.accounting()
    store.close()
    assert [alert.event_ids for alert in alerts] == [IDS]
    assert sums.records_seen == len(RECORDS) + 1
    assert sums.records_read >= len(RECORDS)
    assert set(sums.records_rejected) <= {"nested-too-deep", "not-json"}


@pytest.mark.parametrize("opening", ["[\n", '{"Records":[\n', '{"Records": [{},\n'])
def test_growing_document_is_not_json_lines(opening: str) -> None:
    with pytest.raises(Unreadable):
        for chunk in read_chunks(
            io.BytesIO((opening + ",\n".join(map(forms.text, RECORDS[:5]))).encode())
        ):
            parse_records(chunk)


@pytest.mark.parametrize(
    "odd",
    [
        '{"hits": 3}',
        '{"Records": {"a": 1}}',
        '{"awslogs": 7}',
        '{"awslogs": {"data": "!!"}}',
        '{"results": [3], "statistics": 1}',
        '{"message": "plain words"}',
        '{"Messages": [{"Body": "{"}]}',
        '{"fields": 1, "_index": 2}',
        '{"event.original": "{"}',
        '{"eventname": 1, "eventtime": []}',
        '{"api": 1, "metadata": 2}',
        '{"kinesis": {"data": "H4sIAAAA"}}',
        '{"detail-type": 1, "detail": 2}',
        '{"_source": null}',
        '{"logEvents": 3, "messageType": "DATA_MESSAGE"}',
        '"{"',
        "3",
    ],
)
def test_odd_wrapper_costs_itself_only(odd: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(odd.encode() + b"\n" + forms.lines(RECORDS))
    alerts, store = scanned(tmp_path)
    sums = store.files.accounting()
    store.close()
    assert [alert.event_ids for alert in alerts] == [IDS]
    assert sums.records_read == len(IDS)
    assert sum(sums.records_rejected.values()) + sum(sums.records_skipped.values()) == 1
