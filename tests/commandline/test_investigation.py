"""``pivot``, ``case``, breaking suppressions, and the user's risk table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commandline.cli import Cli, one_line
from tests.detector.detection.test_correlate import act, swept
from tests.detector.trail import ANA, write

ONLY = [
    "--no-builtin",
    "--rules",
    str(Path(__file__).parents[2] / "detector" / "rules" / "builtin" / "flags"),
    "--rules",
    str(
        Path(__file__).parents[2]
        / "detector"
        / "rules"
        / "builtin"
        / "discovery_ec2_multi_region_describe_instances.toml"
    ),
]
AROUND = ["--around", "2026-03-01T10:00:00Z"]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write(
        tmp_path / "logs",
        "a.json",
        [*swept("ana", 0), act("snapshot", "ana", 60), act("snapshot", "bo", 61)],
    )
    return tmp_path / "logs"


@pytest.fixture
def db(tmp_path: Path, logs: Path, cli: Cli) -> str:
    path = str(tmp_path / "hunt.db")
    assert cli("scan", str(logs), "--db", path, *ONLY).status == 0
    return path


def test_pivot_over_files_equals_pivot_over_state(cli: Cli, logs: Path, db: str) -> None:
    over_files = cli("pivot", "--principal", ANA, *AROUND, str(logs), "--format", "jsonl", *ONLY)
    over_state = cli("pivot", "--principal", ANA, *AROUND, "--db", db, "--format", "jsonl", *ONLY)
    assert over_files.status == over_state.status == 0
    assert over_files.objects == over_state.objects
    assert len(over_files.objects) == 11
    [snapshot] = [event for event in over_files.objects if event["flags"] == ["snapshot"]]
    assert (snapshot["time"], snapshot["action"]) == ("2026-03-01T10:01:00Z", "CreateSnapshot")
    assert over_files.err.endswith("11 events in 1 file, 0.0 MB\n")


def test_pivot_orders(cli: Cli, logs: Path) -> None:
    base = [
        "pivot",
        "--field",
        "event.action=CreateSnapshot",
        *AROUND,
        "--within",
        "5m",
        str(logs),
        *ONLY,
    ]
    guide = cli(*base, "--order", "guide").out.splitlines()
    assert guide[0] == "Snapshot or image activity? CreateSnapshot 2" and len(guide) == 3
    assert cli(*base).out.splitlines() == guide[1:]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--principal", "x", "--around", "noon"], ["--around noon"]),
        (["--principal", "x", *AROUND, "--within", "soon"], ["--within", "soon"]),
        (["--field", "no.such=1", *AROUND], ["--field no.such=1"]),
        (["--field", "event.action", *AROUND], ["--field"]),
    ],
)
def test_invalid_pivot_is_one_line(args: list[str], words: list[str], cli: Cli, logs: Path) -> None:
    one_line(cli("pivot", *args, str(logs)), 2, *words)


def test_case_is_written_once(cli: Cli, db: str, tmp_path: Path) -> None:
    [alert] = cli("scan", str(tmp_path / "logs"), "--db", db, "--format", "jsonl", *ONLY).objects
    out = tmp_path / "out"
    ran = cli("case", alert["alert_id"], "--db", db, "-o", str(out), *ONLY)
    assert (ran.status, ran.out, ran.err) == (0, f"{out}\n", "11 records: begin with report.md\n")
    assert json.loads((out / "alert.json").read_bytes())["alert_id"] == alert["alert_id"]
    one_line(cli("case", alert["alert_id"], "--db", db, "-o", str(out), *ONLY), 1, "exists already")
    one_line(cli("case", "nobody", "--db", db, *ONLY), 1, "no such alert")


def test_suppress_add_reports_breaking_alerts(cli: Cli, db: str) -> None:
    base = ["suppress", "add", "--principal", ANA, "--ticket", "OPS-1", "--db", db]
    ran = cli(*base)
    assert (
        "of the last 30 days' alerts it hides 0; 1 are still shown" in ran.err
        and "snapshot 1" in ran.err
    )
    assert (
        "of the last 30 days' alerts it hides 1; 0 are still shown"
        in cli(*base, "--waive", "snapshot").err
    )
    one_line(cli(*base, "--waive", "nonsense"), 2, "nonsense")
    one_line(cli(*base, "--break-at", "-1"), 2, "points")


def test_user_risk_table_is_used(
    cli: Cli, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    table = tmp_path / "config" / "trailhound" / "risk.toml"
    table.parent.mkdir(parents=True)
    table.write_text("[flags]\nsnapshot = 1\n", encoding="utf-8")
    [alert] = cli("scan", str(logs), "--format", "jsonl", *ONLY).objects
    assert alert["risk"] == {"score": 22, "severity": "low"}
    table.write_text("[flags]\nsnapshot = 'many'\n", encoding="utf-8")
    one_line(cli("scan", str(logs), *ONLY), 1, "risk.toml")
