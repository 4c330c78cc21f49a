"""What travels to a cluster, and which folders it reads."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import pytest

from detector.backfill.spans import Span
from detector.backfill.spark.activity_sum import sum_activity
from detector.backfill.spark.engine_protocol import EngineError, FolderSize
from detector.backfill.spark.inventory import parse_manifest
from detector.backfill.spark.rule_bundle import bundle_rules, unpack_rules
from detector.backfill.spark.trail_days import plan_by_inventory, plan_by_pattern
from detector.backfill.spark.urls import engine_url, escape_pattern, recorded_path
from detector.backfill.trail_location import locate_folder, parse_location
from detector.detection.activity.chunk import activity_of
from detector.detection.digest import digest
from detector.detection.signature_cache import SignatureCache
from detector.formats import read_chunks
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import load
from detector.sources.open_file import open_file
from detector.text.time import DAY
from tests.commandline.cli import Cli, one_line
from tests.detector.trail import ANA, REFERENCE_FILE, call, sweep, write

START = 1_772_323_200  # 2026-03-01
ONE_DAY = Span(START, START + DAY)


def test_rules_travel_without_their_files(tmp_path: Path) -> None:
    """Folders, single files and what lies beside them are there when the originals are gone."""
    folder = tmp_path / "rules"
    write(folder, "more/sweep.toml", REFERENCE_FILE.read_bytes())
    single = write(tmp_path, "single.toml", REFERENCE_FILE.read_bytes().replace(b"393e", b"493e"))
    rules = load([folder, single], builtin=False)
    assert len(rules) == 2
    bundle = pickle.loads(pickle.dumps(bundle_rules(rules)))
    shutil.rmtree(folder)
    single.unlink()
    unpacked = unpack_rules(bundle)
    assert unpacked.rules.fingerprint == rules.fingerprint
    assert not unpacked.rules.problems
    assert unpack_rules(bundle) is unpacked


def test_rules_that_are_off_stay_off() -> None:
    rules = load()
    off = next(iter(rules)).rule_id
    unpacked = unpack_rules(bundle_rules(rules.without([off])))
    assert unpacked.rules.get(off) is None and len(unpacked.rules) == len(rules) - 1


def test_days_are_patterns_of_folders() -> None:
    location = parse_location("s3://logs/x/AWSLogs/o-abcdefghij/")
    days = plan_by_pattern(location, ONE_DAY)
    assert [day.day for day in days] == ["2026/03/01", "2026/03/02"]  # the next has late files
    assert days[0].patterns == ["s3://logs/x/AWSLogs/o-abcdefghij/*/CloudTrail/*/2026/03/01"]
    assert days[0].start == START


def test_names_of_folders_are_no_patterns(tmp_path: Path) -> None:
    location = locate_folder(tmp_path / "case [1]")
    [first, *_] = plan_by_pattern(location, ONE_DAY)
    assert first.patterns[0] == f"{tmp_path}/case \\[1\\]/AWSLogs/*/CloudTrail/*/2026/03/01"
    folder = FolderSize("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/", 1, 10)
    [first, *_] = plan_by_inventory(location, ONE_DAY, [folder])
    assert first.patterns == [f"{tmp_path}/case \\[1\\]/{folder.folder}"]


def test_organization_need_not_be_named() -> None:
    [first, *_] = plan_by_pattern(parse_location("s3://logs"), ONE_DAY)
    assert first.patterns == [
        "s3://logs/AWSLogs/*/CloudTrail/*/2026/03/01",
        "s3://logs/AWSLogs/o-*/*/CloudTrail/*/2026/03/01",
    ]


def test_folder_on_disk_is_a_trail(tmp_path: Path) -> None:
    below = tmp_path / "AWSLogs" / "111122223333" / "CloudTrail" / "eu-west-1"
    [first, *_] = plan_by_pattern(locate_folder(below), ONE_DAY)
    assert first.patterns[0] == f"{below}/2026/03/01"


def test_inventory_gives_the_folders_and_their_weight() -> None:
    folders = [
        FolderSize("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/", 2, 10**6),
        FolderSize("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/", 1, 10**6),
        FolderSize("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/", 1, 10),
        FolderSize("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/04/01/", 1, 10),
        FolderSize("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/01/", 1, 10),
        FolderSize("AWSLogs/444455556666/CloudTrail/eu-west-1/2026/03/01/", 1, 10),
        FolderSize("else/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/", 1, 10),
    ]
    location = parse_location("s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1")
    first, second = plan_by_inventory(location, ONE_DAY, folders)
    assert first.patterns == [f"s3://logs/{folders[0].folder}"]
    assert second.patterns == [f"s3://logs/{folders[2].folder}"]
    assert first.weight > 10 * second.weight


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "no manifest"),
        ("no json", "no manifest"),
        (
            '{"destinationBucket": "b", "fileFormat": "ORC", "fileSchema": "", "files": []}',
            "have S3 write CSV or Parquet",
        ),
        (
            '{"destinationBucket": "b", "fileFormat": "CSV", "fileSchema": "Bucket, Key", '
            '"files": []}',
            "no column Size",
        ),
    ],
)
def test_other_files_are_no_manifest(text: str, why: str) -> None:
    with pytest.raises(EngineError, match=why):
        parse_manifest("s3://lists/manifest.json", text)


def test_manifest_on_disk_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "data/list.csv.gz", b"")
    text = (
        '{"destinationBucket": "b", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size", '
        '"files": [{"key": "data/list.csv.gz"}]}'
    )
    assert parse_manifest("s3-lists/manifest.json", text).files == ["data/list.csv.gz"]
    assert parse_manifest("s3a://b/manifest.json", text).files == ["s3://b/data/list.csv.gz"]


def test_paths_are_those_of_a_scan() -> None:
    assert recorded_path("s3a://logs/a b") == "s3://logs/a b"
    assert recorded_path("file:/tmp/a") == recorded_path("file:///tmp/a") == "/tmp/a"
    assert engine_url("s3://logs/a", "s3a") == "s3a://logs/a"
    assert engine_url("/tmp/a") == "file:///tmp/a"
    assert escape_pattern("s3://logs/a[1]*") == r"s3://logs/a\[1\]\*"


def test_sum_of_activities_is_that_of_the_chunks(tmp_path: Path) -> None:
    bodies = []
    for number in range(3):
        opened = call(number, eventSource="sts.amazonaws.com", eventName="AssumeRole")
        path = write(tmp_path, f"{number}.json", [*sweep(4 + number, number), opened])
        with open_file(str(path)) as file:
            [chunk] = read_chunks(file)
            partial, _ = digest(str(path), chunk, Dispatch([]), SignatureCache())
        bodies += [stats.activity for stats in partial.chunks.values()]
    assert activity_of([sum_activity(bodies)]) == activity_of(bodies)
    assert sum(day.calls for day in activity_of(bodies).days.values()) == 18
    assert any(name == ANA for _, name, _ in activity_of(bodies).days)


def test_wrong_use_is_one_line(cli: Cli, tmp_path: Path) -> None:
    times = ["--since", "2026-03-01", "--until", "2026-03-02", "--work", str(tmp_path / "work")]
    ask = ["backfill", "spark"]
    one_line(cli(*ask, tmp_path / "none", *times), 1, "no such folder")
    one_line(cli(*ask, "hdfs://x/AWSLogs", *times), 2, "name a folder, or s3://")
    one_line(cli(*ask, tmp_path, *times, "--account", "12"), 2, "12 digits")
    (tmp_path / "AWSLogs").mkdir()
    inside = [*times[:4], "--work", tmp_path / "AWSLogs" / "work"]
    one_line(cli(*ask, tmp_path, *inside), 2, "this is in the trail")


def test_missing_extra_is_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    monkeypatch.delitem(sys.modules, "detector.backfill.spark.spark_engine", raising=False)
    ran = cli(
        *["backfill", "spark", tmp_path, "--since", "2026-03-01", "--until", "2026-03-02"],
        *["--work", tmp_path / "work", "--db", tmp_path / "case.db"],
    )
    one_line(
        ran, 1, "backfill spark needs pyspark", "pip install 'pyspark[connect]' pandas pyarrow"
    )
    assert not (tmp_path / "case.db").exists()
