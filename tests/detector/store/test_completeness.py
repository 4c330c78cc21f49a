"""Missing and modified log files, blind feeds, silent regions, and the quarantine."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.cloudtrail.object_key import trail_file
from detector.detection.log_integrity import (
    INTEGRITY_RULES,
    integrity_alert,
    integrity_sentence,
    log_file_name,
)
from detector.ingest.pipeline import Pipeline
from detector.sources.directory import Directory
from detector.sources.time_bounds import BoundedSource, Bounds
from detector.store import Freshness, Store, reference_time
from detector.store.completeness import PATIENCE
from tests.clock import Clock
from tests.detector.formats import forms
from tests.detector.trail import builtin_rules, watch
from tui.commandline.main import main

ACCOUNT, REGION = "111122223333", "us-east-1"
HOURS = range(11, 14)


def name(label: str, serial: int) -> str:
    return f"{ACCOUNT}_CloudTrail_{REGION}_{label}_{serial:016}.json.gz"


class Trail:
    """Three hours of a region: four files and a digest each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[Path] = []
        self.digests: list[Path] = []
        previous: tuple[str, str] | None = None
        for hour in HOURS:
            named = []
            for quarter in range(4):
                content = forms.document(forms.sweep(len(self.files)))
                label = f"20260301T{hour:02}{15 * quarter:02}Z"
                folder = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/03/01"
                key = f"{folder}/{name(label, len(self.files))}"
                self.files.append(self._put(key, content))
                named.append(
                    {
                        "s3Bucket": "b",
                        "s3Object": key,
                        "hashAlgorithm": "SHA-256",
                        "hashValue": hashlib.sha256(content).hexdigest(),
                        "oldestEventTime": f"2026-03-01T{hour}:00:00Z",
                        "newestEventTime": f"2026-03-01T{hour}:10:00Z",
                    }
                )
            digest = json.dumps(
                {
                    "awsAccountId": ACCOUNT,
                    "digestStartTime": f"2026-03-01T{hour:02}:00:00Z",
                    "digestEndTime": f"2026-03-01T{hour + 1:02}:00:00Z",
                    "digestS3Bucket": "b",
                    "logFiles": named,
                    "previousDigestS3Object": previous and previous[0],
                    "previousDigestHashValue": previous and previous[1],
                }
            ).encode()
            key = (
                f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/03/01/{ACCOUNT}_CloudTrail-Digest_{REGION}_"
                f"trail_{REGION}_20260301T{hour + 1:02}0000Z.json.gz"
            )
            self.digests.append(self._put(key, digest))
            previous = key, hashlib.sha256(digest).hexdigest()

    def _put(self, key: str, content: bytes) -> Path:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content))
        return path


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path / "trail")


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store.open(None, Clock(1772380800.0))) as store:
        yield store


def scan(store: Store, root: Path) -> None:
    Pipeline(store, builtin_rules(), Directory([root]), jobs=1).scan(lambda _: None)


def test_complete_digest_chain_proves_region(trail: Trail, store: Store) -> None:
    scan(store, trail.root)
    assert store.completeness.findings(final=True) == []
    (freshness,) = store.completeness.freshness()
    assert (freshness.account, freshness.region, freshness.files, freshness.proven) == (
        ACCOUNT,
        REGION,
        12,
        True,
    )
    assert freshness.cadence == 900
    assert store.files.accounting().files_skipped == {"digest": 3}


def test_findings_name_modified_and_missing_file(trail: Trail, store: Store) -> None:
    altered, missing = trail.files[2], trail.files[7]
    altered.write_bytes(gzip.compress(forms.document(forms.sweep(2)[:-1])))
    missing.unlink()
    scan(store, trail.root)
    findings = {finding.kind: finding for finding in store.completeness.findings(final=True)}
    assert set(findings) == {"missing", "modified"}
    assert len(store.completeness.findings(final=True)) == 2
    assert findings["modified"].path == str(altered)
    assert findings["missing"].name == missing.name
    assert findings["missing"].region == REGION
    alerts = {alert.alert_id: alert for alert in store.alerts.all()}
    for finding in findings.values():
        alert = alerts[integrity_alert(finding).alert_id]
        assert (
            alert.rule.name == f"CloudTrail log file {finding.kind}"
            and finding.digest in integrity_sentence(alert)
        )
        assert (alert.severity, alert.event_ids, alert.settled) == (alert.rule.severity, [], True)
        assert alert.as_json()["columns"]["log.file.path"] == finding.path


def test_first_scan_believes_digests_of_any_name(trail: Trail, store: Store) -> None:
    trail.files[7].unlink()
    for number, digest in enumerate(trail.digests):
        digest.rename(trail.root / f"{number}.json.gz")
    scan(store, trail.root)
    alerts = [alert for alert in store.alerts.all() if alert.rule == INTEGRITY_RULES["missing"]]
    assert trail.files[7].name in map(log_file_name, alerts)


def test_integrity_alert_is_triaged_and_withdrawn_when_file_is_restored(
    trail: Trail, store: Store
) -> None:
    content = trail.files[7].read_bytes()
    trail.files[7].unlink()
    scan(store, trail.root)
    before = {alert.alert_id for alert in store.alerts.all()}
    (alert,) = (alert for alert in store.alerts.all() if alert.rule == INTEGRITY_RULES["missing"])
    store.triage.set_status([alert.alert_id], "acknowledged")
    scan(store, trail.root)  # by the same files it stays as it is
    stored = store.alerts.get(alert.alert_id)
    assert stored is not None
    assert (stored.status, stored.revision) == ("acknowledged", 1)
    trail.files[7].write_bytes(content)
    scan(store, trail.root)
    assert alert.alert_id in before - {alert.alert_id for alert in store.alerts.all()}
    assert [entry.kind for entry in store.history.entries(alert.alert_id)] == [
        "acknowledged",
        "withdrawn",
    ]


def test_live_run_reports_missing_file_once_overdue(trail: Trail, store: Store) -> None:
    trail.files[7].unlink()
    published: list[str] = []
    reported: list[bool] = []

    class Waiting(Directory):
        def wait(self, stop: threading.Event, seconds: float) -> None:
            reported.append("CloudTrail log file missing" in published)
            store.database.clock.now += PATIENCE + 1  # type: ignore[attr-defined]
            if len(reported) == 2:
                stop.set()

    pipeline = Pipeline(
        store, builtin_rules(), Waiting([trail.root]), jobs=1, clock=store.database.clock
    )
    pipeline.run(
        threading.Event(),
        lambda update: published.extend(alert.rule.name for alert in update.alerts),
    )
    assert reported == [False, True]


def test_file_out_of_bounds_or_unreadable_is_not_missing(trail: Trail, store: Store) -> None:
    # From 13:30 on, so that files are looked for that were delivered from 12:30 on.
    bounds = Bounds(1772371800, None)
    trail.files[4].unlink()  # 12:00
    trail.files[6].unlink()  # 12:30
    trail.files[7].write_bytes(b"\x1f\x8b\x08\x00odd")
    Pipeline(
        store,
        builtin_rules(),
        BoundedSource(Directory([trail.root]), bounds, {}),
        jobs=1,
        bounds=bounds,
    ).scan(lambda _: None)
    assert store.files.accounting().files_quarantined
    missing = [
        alert.columns["aws.s3.object.key"]
        for alert in store.alerts.all()
        if alert.rule == INTEGRITY_RULES["missing"]
    ]
    assert [str(key).rpartition("/")[2] for key in missing] == [trail.files[6].name]
    assert len(store.completeness.findings(True)) == 2


def test_missing_digest_is_a_finding(trail: Trail, store: Store) -> None:
    trail.digests[1].unlink()
    scan(store, trail.root)
    assert [(each.kind, each.name) for each in store.completeness.findings(final=True)] == [
        ("missing", trail.digests[1].name)
    ]


def test_modified_digest_is_a_finding(trail: Trail, store: Store) -> None:
    digest = json.loads(gzip.decompress(trail.digests[1].read_bytes()))
    digest["logFiles"].pop()
    trail.digests[1].write_bytes(gzip.compress(json.dumps(digest).encode()))
    scan(store, trail.root)
    assert [(each.kind, each.name) for each in store.completeness.findings(final=True)] == [
        ("modified", trail.digests[1].name)
    ]


def test_file_that_comes_late_is_missing_only_until_then(trail: Trail, store: Store) -> None:
    late = trail.files[5]
    content = late.read_bytes()
    late.unlink()
    watch(store, trail.root)
    assert store.completeness.findings() == []
    store.database.clock.now += PATIENCE + 1  # type: ignore[attr-defined]
    assert [finding.name for finding in store.completeness.findings()] == [late.name]
    late.write_bytes(content)
    watch(store, trail.root)
    assert store.completeness.findings(final=True) == []


def test_digest_that_comes_after_its_files_proves_them(trail: Trail, store: Store) -> None:
    digests = [(path, path.read_bytes()) for path in trail.digests]
    for path, _ in digests:
        path.unlink()
    scan(store, trail.root)
    trail.files[0].write_bytes(gzip.compress(b'{"Records":[]}'))
    for path, content in digests:
        path.write_bytes(content)
    scan(store, trail.root)
    assert [
        (finding.kind, finding.name) for finding in store.completeness.findings(final=True)
    ] == [("modified", trail.files[0].name)]


def test_findings_do_not_depend_on_folders(trail: Trail, store: Store) -> None:
    moved = trail.root / "elsewhere"
    moved.mkdir()
    for path in trail.files:
        path.rename(moved / path.name)
    scan(store, trail.root)
    assert store.completeness.findings(final=True) == []


def test_scan_prints_finding_and_alert(trail: Trail, capsys: pytest.CaptureFixture[str]) -> None:
    trail.files[3].unlink()
    assert main(["scan", str(trail.root), "--format", "jsonl", "--exit-code"]) == 10
    out, err = capsys.readouterr()
    names = [json.loads(line)["rule"]["name"] for line in out.splitlines()]
    assert names.count("CloudTrail log file missing") == 1
    assert f"missing: AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/03/01/{trail.files[3].name}" in err


def test_silent_region_is_late_by_its_own_cadence(trail: Trail, store: Store) -> None:
    scan(store, trail.root)
    (freshness,) = store.completeness.freshness()
    newest = trail_file(str(trail.files[-1])).delivered  # type: ignore[union-attr]
    assert freshness.newest == newest
    assert not freshness.late(newest + 3600) and freshness.late(newest + 6 * 900 + 1)


def test_event_bridge_feed_without_read_only_events_is_blind(tmp_path: Path, store: Store) -> None:
    def bridged(read_only: bool) -> bytes:
        return forms.lines(
            [
                {
                    "version": "0",
                    "detail-type": "AWS API Call via CloudTrail",
                    "detail": {**record, "readOnly": read_only},
                }
                for record in forms.sweep()
            ]
        )

    (tmp_path / "blind.json").write_bytes(bridged(False))
    (tmp_path / "seeing.json").write_bytes(bridged(True))
    (tmp_path / "trail.json").write_bytes(forms.document(forms.sweep()))
    scan(store, tmp_path)
    assert [(Path(feed.path).name, feed.blind) for feed in store.completeness.feeds()] == [
        ("blind.json", True),
        ("seeing.json", False),
    ]


def test_quarantine_retries_and_ignores_files(tmp_path: Path, store: Store) -> None:
    for each in ("a.json", "b.json"):
        (tmp_path / each).write_bytes(b'{"Records": [}')
    pipeline = Pipeline(store, builtin_rules(), Directory([tmp_path]), jobs=1)
    pipeline.scan(lambda _: None)
    first, second = store.quarantine.files()
    assert first.reason == "corrupt-json" and "invalid JSON at character" in first.detail
    store.quarantine.ignore([first.path])
    store.quarantine.retry([second.path])
    pipeline.recheck_quarantine()
    pipeline.scan(lambda _: None)
    sums = store.files.accounting()
    assert sums.files_skipped == {"ignored": 1} and sums.files_quarantined == {"corrupt-json": 1}
    assert [entry.kind for entry in store.history.entries(first.path)] == ["ignored"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "AWSLogs/1/x/111122223333_CloudTrail_us-east-1_20260301T1255ZHdkvFTXOA3Vnhbc.json.gz",
            ("us-east-1", "CloudTrail"),
        ),
        (
            "111122223333_CloudTrail-Insight_eu-west-1_20260301T1255Z_abcdefgh12345678.json",
            ("eu-west-1", "CloudTrail-Insight"),
        ),
        (
            "111122223333_CloudTrail-Digest_us-east-1_my_trail_us-east-1_20260301T125500Z.json.gz",
            ("us-east-1", "CloudTrail-Digest"),
        ),
        (
            "111122223333_CloudTrail_us-east-1_20260301T1255Z_abcdefgh12345678.json.gz.1a2B3c4D",
            None,
        ),
        ("vpcflow.json.gz", None),
    ],
)
def test_trail_file_parses_name(path: str, expected: tuple[str, str] | None) -> None:
    file = trail_file(path)
    assert (file and (file.region, file.folder)) == expected


def test_reference_time_of_archive_is_its_newest_delivery() -> None:
    def region(newest: int) -> Freshness:
        return Freshness("111122223333", "eu-west-1", 9, 900, 90, 0, newest, 300.0, False, None)

    now = 1_800_000_000
    recent, old = (
        [region(now - 7200), region(now - 60)],
        [region(now - 90 * 86_400), region(now - 91 * 86_400)],
    )
    assert reference_time(recent, now) == now
    assert reference_time(old, now) == now - 90 * 86_400
    assert reference_time([], now) == now
    assert [each.late(reference_time(old, now)) for each in old] == [False, True]
