"""The sample logs: CloudTrail's forms, and exactly the findings of the answer key.

The answer key is compared with the definition, in plain Python over the raw JSON; then the detector
is compared with the key.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from detector.detection.alert import Alert
from detector.detection.sweeps import group_sweeps, recurrence_of
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.simulate import OTHERS, STORIES, Delivery, ExpectedAlert, deliveries
from detector.simulate.answers import count_totals, readme
from detector.simulate.around import AROUND
from detector.simulate.organization import START
from detector.simulate.replay import SPEED, TrailClock, land, replay, write
from detector.sources.directory import Directory
from detector.store import Store

SAMPLES = Path(__file__).parents[1] / "sample_logs"
LOGS = sorted(SAMPLES.rglob("*.json.gz"))


def contents(compressed: bytes) -> list[dict]:
    return json.loads(gzip.decompress(compressed))["Records"]


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.fixture(scope="module")
def trail() -> list[Delivery]:
    return list(deliveries())


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return [record for path in LOGS for record in contents(path.read_bytes())]


@pytest.fixture(scope="module")
def calls(records) -> dict[str | None, list[tuple[int, str]]]:
    """Time and region of every call to DescribeInstances, each event once, in order of time, by the
    caller's ARN."""
    events = {(record["recipientAccountId"], record["eventID"]): record for record in records}
    times_by_arn = defaultdict(list)
    for event in events.values():
        if (event["eventSource"], event["eventName"]) == ("ec2.amazonaws.com", "DescribeInstances"):
            times_by_arn[event["userIdentity"].get("arn")].append(
                (seconds(event["eventTime"]), event["awsRegion"])
            )
    return {arn: sorted(times) for arn, times in times_by_arn.items()}


def finding(calls: list[tuple[int, str]]) -> ExpectedAlert:
    return ExpectedAlert(
        calls[0][0], calls[-1][0], len({region for _, region in calls}), len(calls)
    )


def meets(calls: list[tuple[int, str]]) -> bool:
    return len({region for _, region in calls}) >= 10 and len(calls) >= 10


def tumbling(calls: list[tuple[int, str]]) -> list[ExpectedAlert]:
    windows = defaultdict(list)
    for call in calls:
        windows[call[0] // 30].append(call)
    return [finding(window) for _, window in sorted(windows.items()) if meets(window)]


def sliding(calls: list[tuple[int, str]]) -> list[ExpectedAlert]:
    spans: list[list[int]] = []
    for start, _ in calls:
        if meets([call for call in calls if start <= call[0] < start + 30]):
            if spans and start < spans[-1][1]:
                spans[-1][1] = start + 30
            else:
                spans.append([start, start + 30])
    return [finding([call for call in calls if first <= call[0] < end]) for first, end in spans]


MODES = {"tumbling": tumbling, "sliding": sliding}


def key(mode: str) -> dict[str | None, list[ExpectedAlert]]:
    """The answers, by principal; those of whom nothing is found are left out."""
    return {
        story.principal: list(getattr(story, mode)) for story in STORIES if getattr(story, mode)
    }


@pytest.mark.parametrize("mode", MODES)
def test_key_matches_definition(calls, mode):
    findings_by_arn = {arn: MODES[mode](times) for arn, times in calls.items()}
    assert {arn: findings for arn, findings in findings_by_arn.items() if findings} == key(mode)


def scanned(mode: str) -> list[dict]:
    pytest.importorskip("tui.commandline.main")
    scan = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tui.commandline.main import main; raise SystemExit(main())",
            "scan",
            str(SAMPLES),
            "--format",
            "jsonl",
            "--window",
            mode,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert scan.returncode == 0, scan.stderr
    return [json.loads(line) for line in scan.stdout.splitlines()]


@pytest.mark.parametrize("mode", MODES)
def test_detector_matches_key(mode):
    findings_by_arn = defaultdict(list)
    others = Counter()
    for alert in scanned(mode):
        if alert["rule"]["id"] != "393ef120-63d1-11ef-8e38-f661ea17fbce":
            others[alert["rule"]["id"], alert["key"]["aws.cloudtrail.user_identity.arn"]] += 1
        else:
            findings_by_arn[alert["key"]["aws.cloudtrail.user_identity.arn"]].append(
                ExpectedAlert(
                    seconds(alert["first_event"]),
                    seconds(alert["last_event"]),
                    alert["columns"]["Esql.cloud_region_count_distinct"],
                    len(alert["event_ids"]),
                )
            )
    assert {
        arn: sorted(findings, key=lambda f: f.first) for arn, findings in findings_by_arn.items()
    } == key(mode)
    assert others == Counter(
        {(each.rule_id, each.principal): getattr(each, mode) for each in OTHERS}
    )


def context_of(alert: Alert) -> tuple[dict[str, int], int, str]:
    return {flag.flag: flag.count for flag in alert.flags}, alert.score, alert.severity


@pytest.mark.parametrize("mode", MODES)
def test_context_matches_key(mode):
    with closing(Store.open(None)) as store:
        Pipeline(store, load(mode=mode), Directory([SAMPLES])).scan(lambda update: None)
        alerts = store.alerts.all()
        lineage = next(
            store.alerts.lineage(alert.alert_id)
            for alert in alerts
            if alert.principal.endswith("/release-bot")
        )
    reference = [
        alert for alert in alerts if alert.rule.id == "393ef120-63d1-11ef-8e38-f661ea17fbce"
    ]
    for story in STORIES:
        theirs = [alert for alert in reference if (alert.principal or None) == story.principal]
        assert len(theirs) == len(getattr(story, mode))
        if theirs:
            around = AROUND[story.name]
            assert [context_of(alert) for alert in theirs] == [
                (around.flags, around.score, around.severity)
            ] * len(theirs)
            assert str(recurrence_of(group_sweeps(theirs))) == around.rhythm
    assert [key[:4] for key in lineage.hop.keys] == ["ASIA"]


def test_key_has_every_story_with_alerts():
    assert set(AROUND) == {story.name for story in STORIES if story.sliding}


def test_late_file_raises_risk(trail, tmp_path):
    story = next(story for story in STORIES if story.name == "borrowed_role")
    late = [
        delivery
        for delivery in trail
        if any(
            "addendum" in record and record["eventName"] == "CreateUser"
            for record in contents(delivery.data)
        )
    ]
    for delivery in trail:
        if delivery not in late:
            land(tmp_path, delivery)
    with closing(Store.open(None)) as store:
        Pipeline(store, load(), Directory([tmp_path])).scan(lambda update: None)
        [before] = [alert for alert in store.alerts.all() if alert.principal == story.principal]
        for delivery in late:
            land(tmp_path, delivery)
        Pipeline(store, load(), Directory([tmp_path])).scan(lambda update: None)
        after = store.alerts.get(before.alert_id)
    assert before.severity == "medium" and "iam-change" not in context_of(before)[0]
    assert (
        after.severity == "high"
        and context_of(after)[0]["iam-change"] == 2
        and after.revision == before.revision + 1
    )


def test_every_story_has_its_own_principal(calls):
    principals = [story.principal for story in STORIES]
    assert len(set(principals)) == len(principals)
    assert set(principals) <= set(calls)


def test_folder_matches_generator(trail):
    """Contents are compared unpacked: builds of zlib differ in how they pack."""
    made = {delivery.path: gzip.decompress(delivery.data) for delivery in trail}
    present = {
        path.relative_to(SAMPLES).as_posix(): gzip.decompress(path.read_bytes()) for path in LOGS
    }
    assert present == made
    assert (SAMPLES / "README.md").read_text(encoding="utf-8") == readme(trail)
    assert {path.name for path in SAMPLES.rglob("*") if path.is_file()} == {
        path.name for path in LOGS
    } | {"README.md"}


def test_key_totals(trail, records):
    totals = count_totals(trail)
    once = {(record["recipientAccountId"], record["eventID"]) for record in records}
    counted = [
        (r["recipientAccountId"], r["eventID"])
        for r in records
        if r["eventName"] == "DescribeInstances"
    ]
    assert (totals.files, totals.records) == (len(LOGS), len(records))
    assert totals.duplicates == len(records) - len(once) > 0
    assert totals.counted == len(counted) - len(set(counted)) > 0
    assert totals.by_account.total() == len(records)


def test_folder_is_small():
    on_disk = sum(-(-path.stat().st_size // 4096) * 4096 for path in SAMPLES.rglob("*"))
    assert on_disk < 4 << 20


NAME = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]{10,32}/)?(\d{12})/CloudTrail/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/"
    r"\1_CloudTrail_\2_(\3\4\5T\d{4}Z)_[A-Za-z0-9]{16}\.json\.gz"
)


def test_file_names_follow_cloudtrail():
    for path in LOGS:
        name = NAME.fullmatch(path.relative_to(SAMPLES).as_posix())
        assert name, path
        label = int(datetime.strptime(name[6] + "+0000", "%Y%m%dT%H%MZ%z").timestamp())
        assert label % 300 == 0
        for record in contents(path.read_bytes()):
            assert (record["recipientAccountId"], record["awsRegion"]) == (name[1], name[2])
            delay = label - seconds(record["eventTime"])
            late = record["userIdentity"].get("userName") == "svc-metrics" or "addendum" in record
            assert 0 < delay < 600 or late


def test_accounts_regions_and_hours(records):
    assert len({record["recipientAccountId"] for record in records}) == 3
    assert (
        len({(record["recipientAccountId"], record["awsRegion"]) for record in records}) == 3 * 17
    )
    times = [record["eventTime"] for record in records if record["eventTime"] >= "2026-03-01"]
    assert min(times) < "2026-03-01T10:05" and "2026-03-01T12:55" < max(times) < "2026-03-01T13:05"


def test_earlier_days_make_a_baseline(records):
    before = [record for record in records if record["eventTime"] < "2026-03-01"]
    assert len(before) < len(records) / 50
    firsts = {
        account: min(
            record["eventTime"] for record in before if record["recipientAccountId"] == account
        )
        for account in {record["recipientAccountId"] for record in records}
    }
    assert max(firsts.values()) < "2026-02-19"
    seen = {record["userIdentity"].get("userName") for record in before}
    assert not {"ci-deploy", "legacy-export"} & seen and {"release-bot", "svc-metrics"} <= seen


PUBLIC = [
    ipaddress.ip_network(net)
    for net in ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "10.0.0.0/8")
]


def test_nothing_is_real(records):
    for record in records:
        source = record["sourceIPAddress"]
        if not source.endswith(".amazonaws.com"):
            assert any(ipaddress.ip_address(source) in net for net in PUBLIC), source
        text = json.dumps(record)
        for name in re.findall(r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]+", text):
            assert name.endswith("EXAMPLE") and len(name) == (
                20 if name[1:3] in ("KI", "SI") else 21
            ), name
        assert not re.search(r"\{\w+\}", text), text


def test_stolen_key_story(records):
    story = STORIES[0]
    theirs = sorted(
        (record["eventTime"][11:], record["eventName"])
        for record in records
        if record["userIdentity"].get("arn") == story.principal
    )
    names = list(dict.fromkeys(name for _, name in theirs))
    assert names == [
        "GetCallerIdentity",
        "DescribeRegions",
        "DescribeInstances",
        "DescribeVolumes",
        "DescribeSnapshots",
        "DescribeInstanceAttribute",
        "CreateSnapshot",
        "ModifySnapshotAttribute",
        "ListUsers",
        "ListAttachedUserPolicies",
        "CreateAccessKey",
        "AttachUserPolicy",
    ]
    assert theirs[0][0] > "11:28:30" and theirs[-1][0] < "12:28:00"


def test_borrowed_role_story(records):
    opened = [
        record
        for record in records
        if record["eventName"] == "AssumeRole"
        and record["userIdentity"].get("userName") == "release-bot"
    ]
    [key] = {record["responseElements"]["credentials"]["accessKeyId"] for record in opened}
    used = sorted(
        (record["eventTime"], record["eventName"])
        for record in records
        if record["userIdentity"].get("accessKeyId") == key
    )
    assert [name for _, name in used] == [
        "ListRoles",
        "ListUsers",
        "CreateUser",
        "CreateLoginProfile",
    ]
    assert opened[0]["eventTime"] < used[0][0]


def test_refused_sweep_story(records):
    calls = [
        record
        for record in records
        if record["eventName"] == "DescribeInstances"
        and record["userIdentity"].get("userName") == "legacy-export"
    ]
    assert {record["errorCode"] for record in calls} == {"Client.UnauthorizedOperation"}


def landings(trail: list[Delivery], principal: str | None) -> list[tuple[int, str, int]]:
    """When a principal's calls to DescribeInstances land, in which region, when they were made."""
    return [
        (delivery.time, record["awsRegion"], seconds(record["eventTime"]))
        for delivery in trail
        for record in contents(delivery.data)
        if record["eventName"] == "DescribeInstances"
        and record["userIdentity"].get("arn") == principal
    ]


def test_disorder_story(trail):
    story = next(story for story in STORIES if story.name == "disorder")
    landed = landings(trail, story.principal)
    first = min(made for *_, made in landed)
    late = {region for at, region, _ in landed if at > first + 3600}
    in_time = [made for _, region, made in landed if region not in late]
    assert len(late) == 1
    assert len({region for _, region, _ in landed} - late) >= 10
    assert in_time != sorted(in_time)
    assert len(landed) - len({(region, made) for _, region, made in landed}) == 3


def test_files_arrive_after_their_events(trail):
    assert [delivery.time for delivery in trail] == sorted(delivery.time for delivery in trail)
    for delivery in trail:
        assert (
            max(seconds(record["eventTime"]) for record in contents(delivery.data)) < delivery.time
        )


def test_demo_starts_at_once(trail):
    """The first sweep is complete within five seconds of a replay."""
    story = next(story for story in STORIES if story.name == "console_view")
    begun = next(delivery.time for delivery in trail if delivery.time >= START)
    assert (max(at for at, *_ in landings(trail, story.principal)) - begun) / SPEED < 5


def test_replay_writes_the_whole_trail(trail, tmp_path):
    write(tmp_path)
    there = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert there == {delivery.path: delivery.data for delivery in trail}


def test_clock_runs_fast_then_in_real_time(monkeypatch):
    now = 1_000.0

    def context_of(moment):
        nonlocal now
        now = moment
        return clock() - START, clock.until(START + 160)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = TrailClock(speed=10)
    assert clock() == START
    clock.start(START + 100, START + 200)
    assert [context_of(1_000.0 + seconds) for seconds in (0, 5, 10, 20)] == [
        (100, 6),
        (150, 1),
        (200, 0),
        (210, 0),
    ]


def test_replay_stops(tmp_path):
    stop = threading.Event()
    stop.set()
    replay(tmp_path, stop, TrailClock())
    assert not list(tmp_path.iterdir())


def test_files_are_renamed_into_place(trail, tmp_path, monkeypatch):
    """Until it is complete a file has a name that doesn't end like a log's."""
    names = []
    write = Path.write_bytes
    monkeypatch.setattr(
        Path, "write_bytes", lambda path, data: (names.append(path.name), write(path, data))[1]
    )
    delivery = trail[0]
    land(tmp_path, delivery)
    assert re.fullmatch(r".*\.json\.gz\.[0-9a-f]{8}", names[0])
    assert (tmp_path / delivery.path).read_bytes() == delivery.data


def test_command_keeps_an_existing_folder(tmp_path):
    made = subprocess.run(
        [sys.executable, "-m", "detector.simulate", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 1
    assert made.stderr.count("\n") == 1 and "remove it" in made.stderr
    assert not list(tmp_path.iterdir())
