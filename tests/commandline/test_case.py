"""Case files of one alert and of several, from the command line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest

from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import ANA, START, call, sweep, write
from tui.commandline.parser import command_parser

FLAGS = Path(__file__).parents[2] / "detector" / "rules" / "builtin" / "flags"
RULES = [*ONLY_REFERENCE, "--rules", str(FLAGS)]


@pytest.fixture
def db(cli: Cli, tmp_path: Path) -> Path:
    """A state with two alerts of one principal, a key made after them, and a snapshot shared."""
    logs = tmp_path / "logs"
    write(logs, "a.json", sweep(10))
    write(logs, "b.json", sweep(11, 300))
    key = {"accessKey": {"accessKeyId": "AKIACREATEDEXAMPLE77", "userName": "backup"}}
    share = {
        "snapshotId": "snap-0a1",
        "createVolumePermission": {"add": {"items": [{"userId": "999988887777"}]}},
    }
    write(
        logs,
        "c.json",
        [
            call(
                400,
                event_id="key",
                eventName="CreateAccessKey",
                eventSource="iam.amazonaws.com",
                readOnly=False,
                requestParameters={"userName": "backup"},
                responseElements=key,
            ),
            call(
                420,
                event_id="share",
                eventName="ModifySnapshotAttribute",
                readOnly=False,
                requestParameters=share,
            ),
        ],
    )
    path = tmp_path / "hunt.db"
    cli("scan", logs, "--db", path, *RULES)
    return path


def ids(cli: Cli, db: Path) -> list[str]:
    return [alert["alert_id"] for alert in cli("alerts", "--db", db, "--format", "jsonl").objects]


def test_first_line_and_indicators_name_what_was_done(cli: Cli, db: Path, tmp_path: Path) -> None:
    first, second = ids(cli, db)
    cli("note", first, "--db", db, "--text", "Leaked by CI.", "--verdict", "escalated")
    out = tmp_path / "case"
    assert cli("case", first, "--db", db, "-o", out, *RULES).status == 0
    report = (out / "report.md").read_text()
    title, _, summary, *rest = report.split("\n")
    assert title == f"# Case: `{ANA}`, 2026-03-01T10:00:00Z"
    for said in (
        "`user/ana` made 10 calls (`DescribeInstances`) in 10 regions",
        "`CreateAccessKey` `AKIACREATEDEXAMPLE77 · for user/backup`",
        "`ModifySnapshotAttribute` `snap-0a1 · shared with 999988887777`",
    ):
        assert said in summary
    assert rest[1] == "## Verdict"
    assert report.index("Leaked by CI.") < report.index("## What")
    assert f"`{second}`" in report.partition("## Related alerts")[2]
    assert "| Discovery | `T1580` |" in report
    rows = csv.reader(io.StringIO((out / "indicators.csv").read_text(), newline=""))
    found = {(kind, value) for kind, value, _ in rows}
    assert found >= {
        ("created access key", "AKIACREATEDEXAMPLE77"),
        ("foreign account", "999988887777"),
        ("principal", ANA),
        ("source IP", "203.0.113.7"),
    }


def test_events_are_written_for_timesketch(cli: Cli, db: Path, tmp_path: Path) -> None:
    out = tmp_path / "case"
    cli("case", ids(cli, db)[0], "--db", db, "-o", out, *RULES)
    events = [json.loads(line) for line in (out / "timesketch.jsonl").read_text().splitlines()]
    for event in events:
        assert {"message", "datetime", "timestamp_desc", "timestamp"} <= event.keys()
    assert [event["timestamp"] for event in events] == sorted(e["timestamp"] for e in events)
    (shared,) = (event for event in events if event["event_id"] == "share")
    assert shared["message"] == (
        "user/ana: ModifySnapshotAttribute snap-0a1 · shared with 999988887777 in us-east-1 (ok)"
    )
    assert shared["datetime"] == "2026-03-01T10:07:00+00:00"
    assert shared["timestamp"] == (START + 420) * 1_000_000


def test_case_of_several_alerts_has_one_report_and_a_folder_of_each(
    cli: Cli, db: Path, tmp_path: Path
) -> None:
    first, second = ids(cli, db)
    out = tmp_path / "case"
    ran = cli("case", "--filter", "principal:ana", "--db", db, "-o", out, *RULES)
    assert (ran.status, ran.out) == (0, f"{out}\n")
    assert ran.err == "23 records of 2 alerts: begin with report.md\n"
    report = (out / "report.md").read_text()
    assert report.startswith("# Case: 2 alerts, 2026-03-01T10:00:00Z\n")
    assert "2 alerts of `" in report and "21 calls in 11 regions" in report
    for alert_id in (first, second):
        assert f"`{alert_id}/report.md`" in report
        assert (out / alert_id / "report.md").read_text().startswith("# Case: ")
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert {alert["alert_id"] for alert in manifest["alerts"]} == {first, second}
    assert all(alert["rule_version"] for alert in manifest["alerts"])
    for piece in manifest["pieces"]:
        content = (out / piece["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == piece["sha256"]
    for path in [out, *out.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    zipped = cli("case", first, second, "--db", db, "-o", tmp_path / "case.zip", *RULES)
    assert zipped.status == 0


def test_case_of_nothing_is_refused(cli: Cli, db: Path, tmp_path: Path) -> None:
    out = tmp_path / "case"
    one_line(cli("case", "--db", db, "-o", out, *RULES), 2, "--filter")
    one_line(
        cli("case", "--filter", "calls>99", "--db", db, "-o", out, *RULES), 1, "nothing was written"
    )
    assert not out.exists()
    assert command_parser().parse_args(["case", "a", "b"]).alerts == ["a", "b"]


def test_pivot_says_what_calls_acted_on(cli: Cli, db: Path) -> None:
    pivot = ("pivot", "--principal", ANA, "--around", "2026-03-01T10:06:00Z", "--db", db, *RULES)
    found = {row["event_id"]: row["object"] for row in cli(*pivot, "--format", "jsonl").objects}
    assert found["key"] == "AKIACREATEDEXAMPLE77 · for user/backup"
    assert "  → snap-0a1 · shared with 999988887777\n" in cli(*pivot).out
    events = cli(*pivot, "--format", "timesketch").objects
    assert {event["event_id"]: event["object"] or None for event in events} == found
    assert {event["timestamp_desc"] for event in events} == {"Event Logged"}


def test_case_says_what_of_it_is_watched_for(cli: Cli, db: Path, tmp_path: Path) -> None:
    cli("watch", "add", "999988887777", "198.51.100.1", "kali", "203.0.113.7", "--db", db)
    lifted = cli("watch", "list", "--format", "jsonl", "--db", db).objects[0]["watch_id"]
    cli("watch", "lift", lifted, "--db", db)
    alert_id = cli("alerts", "--db", db, "--format", "jsonl").objects[0]["alert_id"]
    cli("case", alert_id, "--db", db, *RULES, "-o", tmp_path / "case")
    report = (tmp_path / "case" / "report.md").read_text()
    [section] = [part for part in report.split("\n## ") if part.startswith("Watches")]
    row = section.splitlines()[-1]
    assert row.startswith("| address `203.0.113.7` |  | ")
    assert row.endswith(" | 0 |")
    assert "198.51.100.1" not in section
