"""The sample logs: what the generator writes, true to CloudTrail's forms, with exactly the findings of the answer key.

The key is held against the definition itself here, in plain Python over the raw JSON; then the detector against it.
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
from detector.simulate import OTHERS, STORIES, Delivery, Finding, deliveries
from detector.simulate.answers import count_totals, readme
from detector.simulate.around import AROUND
from detector.simulate.organization import START
from detector.simulate.replay import SPEED, TrailClock, land, replay, write
from detector.sources.directory import Directory
from detector.store import Store

SAMPLES = Path(__file__).parents[1] / "sample_logs"
LOGS = sorted(SAMPLES.rglob("*.json.gz"))


def contents(packed: bytes) -> list[dict]:
    return json.loads(gzip.decompress(packed))["Records"]


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
    found = defaultdict(list)
    for event in events.values():
        if (event["eventSource"], event["eventName"]) == ("ec2.amazonaws.com", "DescribeInstances"):
            found[event["userIdentity"].get("arn")].append(
                (seconds(event["eventTime"]), event["awsRegion"])
            )
    return {arn: sorted(times) for arn, times in found.items()}


def finding(calls: list[tuple[int, str]]) -> Finding:
    return Finding(calls[0][0], calls[-1][0], len({region for _, region in calls}), len(calls))


def meets(calls: list[tuple[int, str]]) -> bool:
    return len({region for _, region in calls}) >= 10 and len(calls) >= 10


def tumbling(calls: list[tuple[int, str]]) -> list[Finding]:
    windows = defaultdict(list)
    for call in calls:
        windows[call[0] // 30].append(call)
    return [finding(window) for _, window in sorted(windows.items()) if meets(window)]


def sliding(calls: list[tuple[int, str]]) -> list[Finding]:
    spans: list[list[int]] = []
    for start, _ in calls:
        if meets([call for call in calls if start <= call[0] < start + 30]):
            if spans and start < spans[-1][1]:
                spans[-1][1] = start + 30
            else:
                spans.append([start, start + 30])
    return [finding([call for call in calls if first <= call[0] < end]) for first, end in spans]


MODES = {"tumbling": tumbling, "sliding": sliding}


def key(mode: str) -> dict[str | None, list[Finding]]:
    """The answers, by principal; those of whom nothing is found are left out."""
    return {
        story.principal: list(getattr(story, mode)) for story in STORIES if getattr(story, mode)
    }


@pytest.mark.parametrize("mode", MODES)
def test_the_key_holds_what_the_definition_finds(calls, mode):
    found = {arn: MODES[mode](times) for arn, times in calls.items()}
    assert {arn: findings for arn, findings in found.items() if findings} == key(mode)


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
def test_the_detector_finds_the_key(mode):
    found = defaultdict(list)
    others = Counter()
    for alert in scanned(mode):
        if alert["rule"]["id"] != "393ef120-63d1-11ef-8e38-f661ea17fbce":
            others[alert["rule"]["id"], alert["key"]["aws.cloudtrail.user_identity.arn"]] += 1
        else:
            found[alert["key"]["aws.cloudtrail.user_identity.arn"]].append(
                Finding(
                    seconds(alert["first_event"]),
                    seconds(alert["last_event"]),
                    alert["columns"]["Esql.cloud_region_count_distinct"],
                    len(alert["event_ids"]),
                )
            )
    assert {arn: sorted(findings, key=lambda f: f.first) for arn, findings in found.items()} == key(
        mode
    )
    assert others == Counter(
        {(each.rule_id, each.principal): getattr(each, mode) for each in OTHERS}
    )


def told(alert: Alert) -> tuple[dict[str, int], int, str]:
    return {flag.flag: flag.count for flag in alert.flags}, alert.score, alert.severity


@pytest.mark.parametrize("mode", MODES)
def test_the_detector_finds_what_is_around_them(mode):
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
            assert [told(alert) for alert in theirs] == [
                (around.flags, around.score, around.severity)
            ] * len(theirs)
            assert str(recurrence_of(group_sweeps(theirs))) == around.rhythm
    assert [key[:4] for key in lineage.hop.keys] == ["ASIA"]


def test_the_key_tells_of_every_story_with_alerts():
    assert set(AROUND) == {story.name for story in STORIES if story.sliding}


def test_the_late_file_raises_the_risk(trail, tmp_path):
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
    assert before.severity == "medium" and "iam-change" not in told(before)[0]
    assert (
        after.severity == "high"
        and told(after)[0]["iam-change"] == 2
        and after.revision == before.revision + 1
    )


def test_every_story_is_in_the_logs_under_a_principal_of_its_own(calls):
    principals = [story.principal for story in STORIES]
    assert len(set(principals)) == len(principals)
    assert set(principals) <= set(calls)


def test_the_folder_is_what_the_generator_writes(trail):
    """Contents are compared unpacked: builds of zlib differ in how they pack."""
    made = {delivery.path: gzip.decompress(delivery.data) for delivery in trail}
    held = {
        path.relative_to(SAMPLES).as_posix(): gzip.decompress(path.read_bytes()) for path in LOGS
    }
    assert held == made
    assert (SAMPLES / "README.md").read_text(encoding="utf-8") == readme(trail)
    assert {path.name for path in SAMPLES.rglob("*") if path.is_file()} == {
        path.name for path in LOGS
    } | {"README.md"}


def test_the_totals_of_the_key(trail, records):
    held = count_totals(trail)
    once = {(record["recipientAccountId"], record["eventID"]) for record in records}
    counted = [
        (r["recipientAccountId"], r["eventID"])
        for r in records
        if r["eventName"] == "DescribeInstances"
    ]
    assert (held.files, held.records) == (len(LOGS), len(records))
    assert held.duplicates == len(records) - len(once) > 0
    assert held.counted == len(counted) - len(set(counted)) > 0
    assert held.by_account.total() == len(records)


def test_the_folder_is_small():
    on_disk = sum(-(-path.stat().st_size // 4096) * 4096 for path in SAMPLES.rglob("*"))
    assert on_disk < 4 << 20


NAME = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]{10,32}/)?(\d{12})/CloudTrail/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/"
    r"\1_CloudTrail_\2_(\3\4\5T\d{4}Z)_[A-Za-z0-9]{16}\.json\.gz"
)


def test_files_are_named_and_labelled_as_cloudtrail_does():
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


def test_three_accounts_and_seventeen_regions_over_three_hours(records):
    assert len({record["recipientAccountId"] for record in records}) == 3
    assert (
        len({(record["recipientAccountId"], record["awsRegion"]) for record in records}) == 3 * 17
    )
    times = [record["eventTime"] for record in records if record["eventTime"] >= "2026-03-01"]
    assert min(times) < "2026-03-01T10:05" and "2026-03-01T12:55" < max(times) < "2026-03-01T13:05"


def test_the_days_before_are_thin_and_long_enough_for_a_baseline(records):
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


def test_nothing_in_it_can_be_real(records):
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


def test_the_stolen_key_goes_on(records):
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


def test_the_borrowed_role_is_opened_before_it_is_used(records):
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


def test_the_refused_sweep_is_refused_by_ec2(records):
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


def test_disorder_comes_out_of_order_late_and_twice(trail):
    story = next(story for story in STORIES if story.name == "disorder")
    landed = landings(trail, story.principal)
    first = min(made for *_, made in landed)
    late = {region for at, region, _ in landed if at > first + 3600}
    in_time = [made for _, region, made in landed if region not in late]
    assert len(late) == 1
    assert len({region for _, region, _ in landed} - late) >= 10
    assert in_time != sorted(in_time)
    assert len(landed) - len({(region, made) for _, region, made in landed}) == 3


def test_no_file_lands_before_its_last_event(trail):
    assert [delivery.time for delivery in trail] == sorted(delivery.time for delivery in trail)
    for delivery in trail:
        assert (
            max(seconds(record["eventTime"]) for record in contents(delivery.data)) < delivery.time
        )


def test_the_demo_is_alive_at_once(trail):
    """The first sweep is complete within five seconds of a replay."""
    story = next(story for story in STORIES if story.name == "console_view")
    begun = next(delivery.time for delivery in trail if delivery.time >= START)
    assert (max(at for at, *_ in landings(trail, story.principal)) - begun) / SPEED < 5


def test_replay_lands_the_whole_trail_and_leaves_no_partial_file(trail, tmp_path):
    write(tmp_path)
    there = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert there == {delivery.path: delivery.data for delivery in trail}


def test_the_clock_goes_as_the_trail_comes_and_then_as_life(monkeypatch):
    now = 1_000.0

    def told(moment):
        nonlocal now
        now = moment
        return clock() - START, clock.until(START + 160)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = TrailClock(speed=10)
    assert clock() == START
    clock.start(START + 100, START + 200)
    assert [told(1_000.0 + seconds) for seconds in (0, 5, 10, 20)] == [
        (100, 6),
        (150, 1),
        (200, 0),
        (210, 0),
    ]


def test_replay_ends_when_it_is_told_to(tmp_path):
    stop = threading.Event()
    stop.set()
    replay(tmp_path, stop, TrailClock())
    assert not list(tmp_path.iterdir())


def test_a_file_lands_whole(trail, tmp_path, monkeypatch):
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


def test_the_command_leaves_what_is_there_alone(tmp_path):
    made = subprocess.run(
        [sys.executable, "-m", "detector.simulate", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 1
    assert made.stderr.count("\n") == 1 and "remove it" in made.stderr
    assert not list(tmp_path.iterdir())
