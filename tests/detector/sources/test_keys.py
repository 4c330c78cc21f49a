"""Any text may be a key: none blinds its level, and what is named is read or told."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator

import pytest

from detector.ingest.pipeline import Pipeline
from detector.sources.open import open_sources
from detector.sources.s3_bucket import S3Bucket
from detector.sources.s3_raw_keys import is_path
from detector.sources.source import NoSource
from detector.store import Store
from tests.clock import Clock
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.sources.aws import BUCKET, Aws, forget_clients, put
from tests.detector.sources.test_bucket import IDS, NOW, RECORDS, Hunt, gzipped, put_sweep
from tests.detector.trail import document, rules, sweep

REGION = "AWSLogs/111122223333/CloudTrail/eu-west-1"
ODD_KEYS = [
    "/lead.json",
    "//lead.json",
    "/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/x.json",
    "AWSLogs//x.json",
    "AWSLogs/./x.json",
    "AWSLogs/../x.json",
    "AWSLogs/111122223333//CloudTrail/x.json",
    "./x.json",
    "../../x.json",
    "..",
    f"{REGION}//x.json",
    f"{REGION}/2026//03/01/x.json",
    f"{REGION}/2026/03/01/../x.json",
    f"{REGION}/2026/03/01/\x01x.json",
    f"{REGION}/2026/03/01/\x7f",
    "loose/\x1b[31mred.json",
    "loose//deep//x.json",
    "loose/a//b/../c/./d.json",
    "loose/ /x.json",
    "loose/%2F%00.json",
    "loose/é\u0085ü/…",
    "back\\slash\\x.json",
    "tab\t.json",
    "e\u0301/\ufeff\u202e🐘.json",
    "&amp;&#1;<Key>.json",
    "%2E%2E/x",
    "x" * 1000,
    f"{REGION}/9999/x.json",
]
NAMES_OF_FOLDERS = [
    "AWSLogs",
    REGION,
    f"{REGION}/2026/03/01",
    "a/b/",
    f"{REGION}/",
    "AWSLogs/111122223333/CloudTrail/",
    "a//",
    "/",
]
"""Keys of objects with data that are, or look like, folders."""
BESIDE_DAYS = [
    "logs/111122223333/x.json",
    "logs/0/x.json",
    "logs/1999/x.json",
    "logs/archive/x.json",
    "logs/~/x.json",
    "logs/2026/3/1/x.json",
    "logs/2026/march/x.json",
    "logs/0000.json",
    "logs/x.json",
]


@pytest.fixture
def hunt(aws: Aws) -> Iterator[Hunt]:
    clock = Clock(NOW)
    made = Hunt(S3Bucket(f"s3://{BUCKET}", clock=clock, poll=0), clock)
    yield made
    made.store.close()


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_key_is_read_and_blinds_nothing(key: str, hunt: Hunt) -> None:
    for number, record in enumerate(RECORDS):
        if number:
            put(f"{REGION}/2026/03/01/{number}.json.gz", gzipped([record]))
    put(key, gzip.compress(gzipped(RECORDS[:1])))
    hunt.step()
    assert hunt.ids() == [IDS]
    sums = hunt.store.files.accounting()
    assert (sums.files_found, sums.files_read, sums.records_seen) == (12, 12, 12)
    hunt.step()
    assert hunt.store.files.accounting() == sums
    assert hunt.problems == []


@pytest.mark.parametrize("key", [key for key in ODD_KEYS if not is_path(key)])
def test_odd_key_is_told_without_boto3(
    key: str, hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("other/x.json", document(sweep(12)))
    put(key, b"{}")
    forget_clients()
    monkeypatch.setitem(sys.modules, "boto3", None)
    hunt.step()
    sums = hunt.store.files.accounting()
    assert sums.files_quarantined == {"odd-key": 1}
    assert any("pip install obstore boto3" in problem for problem in hunt.problems)


@pytest.mark.parametrize("key", [*ODD_KEYS, "a.json", "deep/er/x.json.gz", "a b+c%2F.json", "*"])
def test_whole_key_names_its_object(key: str, aws: Aws, cli: Cli) -> None:
    put(key, document(sweep(12)))
    put(f"{key}-not-this", document(sweep(12, 60)))
    ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, f"s3://{BUCKET}/{key}")
    assert [len(alert["event_ids"]) for alert in ran.objects] == [12]
    assert "1 found = 1 read" in ran.err


@pytest.mark.parametrize("key", NAMES_OF_FOLDERS)
def test_object_that_has_a_name_of_a_folder_is_read(key: str, aws: Aws, cli: Cli) -> None:
    put(key, document(sweep(12)))
    for name in (key, ""):
        ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, f"s3://{BUCKET}/{name}")
        assert [len(alert["event_ids"]) for alert in ran.objects] == [12]
        assert "1 found = 1 read" in ran.err


@pytest.mark.parametrize("key", BESIDE_DAYS)
def test_what_stands_beside_days_is_polled(key: str, hunt: Hunt, cli: Cli) -> None:
    put("logs/2026/03/01/10/a.json", document(sweep(3, 600)))
    put("logs/2026/03/09/10/a.json", document(sweep(3, 600)))
    put(key.replace("x.json", "first.json"), document(sweep(3, 900)))
    hunt.step()
    put(key, gzipped(RECORDS))
    clock = hunt.store.database.clock
    assert isinstance(clock, Clock)
    clock.now += 60
    hunt.step()
    assert hunt.ids() == [IDS]
    for bounds in (["--until", "2026-03-02"], ["--since", "2026-03-01"]):
        ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, f"s3://{BUCKET}/logs", *bounds)
        assert [alert["event_ids"] for alert in ran.objects] == [IDS]


@pytest.mark.parametrize("key", ["T403/NoSuchKey.json", "a//x.json"])
@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        ("403 Forbidden", "AccessDenied", "access denied"),
        ("400 Bad Request", "ExpiredToken", "renew"),
        ("403 Forbidden", "InvalidAccessKeyId", "rejected"),
        ("400 Bad Request", "KMS.DisabledException", "KMS.DisabledException"),
    ],
)
def test_object_that_cannot_be_looked_at_is_not_missing(
    status: str, code: str, says: str, key: str, aws: Aws, cli: Cli
) -> None:
    """A response to HEAD has no body, so no code."""
    put(key, document(sweep(12)))
    aws.fault = lambda request: None if "list-type" in request["QUERY_STRING"] else (status, code)
    ran = cli("scan", *ONLY_REFERENCE, f"s3://{BUCKET}/{key}")
    assert says in ran.err and "no object and no folder" not in ran.err


def test_whole_key_needs_no_right_to_list(aws: Aws, cli: Cli) -> None:
    put("a/x.json", document(sweep(12)))
    aws.fault = lambda request: (
        ("403 Forbidden", "AccessDenied") if "list-type" in request["QUERY_STRING"] else None
    )
    ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, f"s3://{BUCKET}/a/x.json")
    assert (ran.status, len(ran.objects)) == (0, 1)


def test_name_of_object_and_folder_reads_both(aws: Aws, cli: Cli) -> None:
    put("a", document(sweep(6)))
    put("a/b.json", document(sweep(12)[6:]))
    ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, f"s3://{BUCKET}/a")
    assert [len(alert["event_ids"]) for alert in ran.objects] == [12]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("AWSLog", f"is it s3://{BUCKET}/AWSLogs?"),
        ("AWSLogs/1111", f"is it s3://{BUCKET}/AWSLogs/111122223333?"),
        ("awslogs", "check it"),
        ("AWSLogs/111122223333/CloudTrail/eu-west-9", "check it"),
        ("AWSLogs/*", "patterns are for files on disk"),
        ("*", "patterns are for files on disk"),
        ("**/*.json.gz", "patterns are for files on disk"),
        ("AWSLogs/111122223333/CloudTrail/eu-west-1/2031/", "check it"),
        ("no/such/deep/place", "check it"),
        ("AWSLogs/444455556666", "check it"),
        ("loose.js", f"is it s3://{BUCKET}/loose.json?"),
    ],
)
def test_name_of_nothing_fails_in_one_line(name: str, says: str, aws: Aws, cli: Cli) -> None:
    put_sweep()
    put("loose.json", b"{}")
    ran = cli("scan", *ONLY_REFERENCE, f"s3://{BUCKET}/{name}")
    one_line(ran, 1, f"s3://{BUCKET}/{name}: no object and no folder has this name", says)


def test_name_of_nothing_is_told_once_live_and_read_when_it_comes(aws: Aws) -> None:
    clock = Clock(NOW)
    hunt = Hunt(S3Bucket(f"s3://{BUCKET}/later/", clock=clock, poll=0), clock)
    hunt.step()
    hunt.step()
    assert [problem.count("no object and no folder") for problem in hunt.problems] == [1]
    put("later/x.json", document(RECORDS))
    clock.now += 60
    hunt.step()
    assert hunt.ids() == [IDS]
    hunt.store.close()


@pytest.mark.parametrize(
    "names",
    [
        ["", ""],
        ["", "AWSLogs"],
        ["AWSLogs", "AWSLogs/"],
        ["AWSLogs/111122223333", "AWSLogs", ""],
        ["loose/x.json", "loose"],
        ["loose/x.json", "loose/x.json", ""],
    ],
)
def test_object_is_read_once_however_it_is_named(names: list[str], aws: Aws) -> None:
    put_sweep()
    put("loose/x.json", document(sweep(12, 600)))
    source = open_sources([f"s3://{BUCKET}/{name}" for name in names], live=False)
    store = Store.open(None)
    Pipeline(store, rules(), source, 1).scan(lambda _: None)
    sums = store.files.accounting()
    assert sums.files_read == sums.files_found and sums.records_duplicate == 0
    assert sums.records_seen == sum({"": 24, "A": 12, "l": 12}[name[:1]] for name in {min(names)})
    store.close()


def test_missing_bucket_is_told_apart_from_missing_key(aws: Aws) -> None:
    with pytest.raises(NoSource, match="no such bucket"):
        open_sources(["s3://there-is-no-such-bucket/AWSLogs"], live=False)
