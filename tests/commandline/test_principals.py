"""``principals`` and ``events``: questions without an alert."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.commandline.cli import Cli, one_line
from tests.detector.trail import ACCOUNT, ANA, call, sweep, write

ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/app"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    role = {"type": "AssumedRole", "arn": f"{ROLE}/i-1", "accountId": ACCOUNT}
    write(tmp_path / "logs", "a.json", sweep(12))
    write(
        tmp_path / "logs",
        "b.json",
        [
            {**call(90_000, readOnly=False, eventName="CreateUser"), "userIdentity": role},
            {
                **call(90_001, errorCode="AccessDenied", sourceIPAddress="198.51.100.9"),
                "userIdentity": {**role, "arn": f"{ROLE}/=i-2"},
            },
        ],
    )
    return tmp_path / "logs"


def test_principals_of_sources_and_of_a_database(cli: Cli, logs: Path, tmp_path: Path) -> None:
    db = str(tmp_path / "hunt.db")
    over_sources = cli("principals", logs, "--db", db, "--format", "jsonl", "--jobs", "1")
    over_state = cli("principals", "--db", db, "--format", "jsonl")
    assert over_sources.objects == over_state.objects
    ana, role = over_state.objects
    assert (ana["principal"], ana["calls"], len(ana["regions"])) == (ANA, 12, 12)
    assert ana["risk"]["score"] > role["risk"]["score"] == 0
    assert (role["principal"], role["sessions"], role["denied"]) == (ROLE, 2, 1)
    assert role["first_seen"] == "2026-03-02T11:00:00Z"
    sliced = cli("principals", "--db", db, "--format", "jsonl", "--since", "2026-03-02")
    assert [row["principal"] for row in sliced.objects] == [ROLE]
    filtered = cli("principals", "--db", db, "--filter", "kind:user", "--format", "table")
    assert filtered.out.splitlines()[1].endswith("user/ana")
    assert "1 of 2 principals match --filter" in filtered.err


def test_principals_as_csv_in_a_file_of_its_own(cli: Cli, logs: Path, tmp_path: Path) -> None:
    target = tmp_path / "principals.csv"
    ran = cli("principals", logs, "--format", "csv", "-o", target)
    assert (ran.status, ran.out) == (0, "")
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [row["principal"] for row in rows] == [ANA, ROLE]
    assert target.stat().st_mode & 0o777 == 0o600


def test_events_by_filter_over_files_and_state(cli: Cli, logs: Path, tmp_path: Path) -> None:
    db = str(tmp_path / "hunt.db")
    cli("scan", logs, "--db", db)
    for where in ([logs], ["--db", db]):
        writes = cli("events", *where, "--writes", "--format", "jsonl")
        assert [event["action"] for event in writes.objects] == ["CreateUser"]
        errors = cli("events", *where, "--errors", "--format", "jsonl")
        assert [event["arn"] for event in errors.objects] == [f"{ROLE}/=i-2"]
        by_time = cli("events", *where, "--filter", "principal:ana", "--order", "time")
        assert len(by_time.out.splitlines()) == 12
        limited = cli("events", *where, "--limit", "3")
        assert len(limited.out.splitlines()) == 3
        assert limited.err.endswith("in the order found (--order time sorts them)\n")
        assert "--order" not in by_time.err
        assert "stopped at --limit 3: there may be more" in limited.err


def test_events_by_indicators_count_each(cli: Cli, logs: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "indicators.txt"
    wanted.write_text("198.51.100.0/24\n192.0.2.1\nab\n")
    ran = cli("events", logs, "--indicators", wanted, "--format", "jsonl")
    assert [event["indicators"] for event in ran.objects] == [["198.51.100.0/24"]]
    assert "198.51.100.0/24: 1 event, 1 principal, 2026-03-02T11:00:01Z" in ran.err
    assert "1 of 2 indicators seen" in ran.err
    assert "not looked for: ab: too short" in ran.err


def test_table_orders_principals_by_the_risk_that_it_shows(cli: Cli) -> None:
    """Uncapped, as in the app: several principals of one incident are worth more than 100."""
    table = cli("principals", Path(__file__).parents[2] / "sample_logs").out
    risks = [int(line.split()[0]) for line in table.splitlines()[1:]]
    assert risks == sorted(risks, reverse=True) and risks[0] > risks[1] > 100


def test_wrong_questions_are_refused_in_one_line(cli: Cli, logs: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    for arguments in (
        ("events", logs, "--filter", "nosuch:1"),
        ("events", logs, "--indicators", empty),
        ("principals", logs, "--filter", "calls>many"),
        ("principals", logs, "--risk-over", "soon"),
    ):
        one_line(cli(*arguments), 2)
    one_line(cli("events", "--db", tmp_path / "none.db"), 1, "no database yet")
