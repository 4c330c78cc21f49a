"""Decisions from scripts, and what the state holds."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from detector.store import Store
from detector.store.decisions.triage_table import TriageTable
from detector.triage.note import VERDICTS
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import ANA, sweep, write
from tui.commandline.decision_parsers import NOTE_VERDICTS
from tui.settings import config

BEN = ANA.replace("ana", "ben")


@pytest.fixture
def db(cli: Cli, tmp_path: Path) -> Path:
    """A state with an alert of each of two principals."""
    write(tmp_path / "logs", "a.json", [*sweep(10), *sweep(12, 60, arn=BEN)])
    path = tmp_path / "hunt.db"
    cli("scan", tmp_path / "logs", "--db", path, *ONLY_REFERENCE)
    return path


def ids(cli: Cli, db: Path, *filters: str) -> list[str]:
    listed = cli("alerts", "--db", db, "--format", "jsonl", *filters).objects
    return [alert["alert_id"] for alert in listed]


def test_alerts_are_those_that_scan_prints(cli: Cli, db: Path, tmp_path: Path) -> None:
    for format in ("jsonl", "csv", "table"):
        held = cli("alerts", "--db", db, "--format", format)
        scanned = cli("scan", tmp_path / "logs", "--db", db, "--format", format, *ONLY_REFERENCE)
        assert (held.status, held.out, held.err) == (
            0,
            scanned.out,
            "2 of 2 alerts in the database\n",
        )
    assert len(ids(cli, db, "--filter", "regions:>10")) == 1
    one_line(cli("alerts", "--db", tmp_path / "none"), 1, "no database yet")
    one_line(cli("alerts", "--db", db, "--filter", "severity>"), 2, "--filter")


def test_status_is_set_by_id_or_filter(cli: Cli, db: Path) -> None:
    first, second = ids(cli, db)
    acknowledged = cli("ack", first, "--db", db, "--author", "script")
    assert (acknowledged.status, acknowledged.out) == (0, f"{first}\n")
    assert cli("ack", first, "--db", db).out == ""
    assert cli("close", "--db", db, "--filter", "status:open").out == f"{second}\n"
    assert ids(cli, db, "--filter", "status:closed") == [second]
    assert cli("reopen", first, second, "--db", db).out.split() == [first, second]
    with closing(Store.open(db)) as store:
        history = [(entry.author, entry.kind) for entry in store.history.entries(first)]
    assert history[0] == ("script", "acknowledged")
    assert [kind for _, kind in history] == ["acknowledged", "reopened"]


def test_assignee_is_set_by_id_or_filter(cli: Cli, db: Path) -> None:
    first, second = ids(cli, db)
    assigned = cli("assign", first, "--to", " dana ", "--db", db, "--author", "lead")
    assert (assigned.status, assigned.out) == (0, f"{first}\n")
    assert "assigned to dana: 1 alert; 0 already were" in assigned.err
    assert cli("assign", "--filter", "assignee:dana", "--to", "dana", "--db", db).out == ""
    assert ids(cli, db, "--filter", 'assignee:""') == [second]
    listed = cli("alerts", "--db", db, "--format", "jsonl").objects
    assert [alert["assignee"] for alert in listed] == ["dana", None]
    assert cli("assign", "--filter", "assignee:dana", "--to", "", "--db", db).out == f"{first}\n"
    assert ids(cli, db, "--filter", "assignee:*") == []
    with closing(Store.open(db)) as store:
        history = [(entry.kind, entry.detail) for entry in store.history.entries(first)]
    assert history == [("assigned", "nobody -> dana"), ("unassigned", "dana -> nobody")]
    one_line(cli("assign", first, "--to", "two\nlines", "--db", db), 2, "--to", "is no name")
    one_line(cli("assign", first, "--db", db), 2, "--to")


def test_notes_are_filtered_by(cli: Cli, db: Path) -> None:
    """By what the latest decided verdict is, by every ticket, and by whether there are any."""
    first, second = ids(cli, db)
    for text, verdict, ticket in (
        ("odd", "suspicious", "T-1"),
        ("worse", "escalated", "T-2"),
        ("asked", "undecided", ""),
    ):
        note = ["note", first, "--db", db, "--text", text]
        cli(*note, "--verdict", verdict, *(["--ticket", ticket] if ticket else []))
    cli("note", second, "--db", db, "--text", "later")
    for wanted, expected in (
        ("verdict:escalated", [first]),
        ("verdict:suspicious", []),
        ("verdict:undecided", [second]),
        ("ticket:T-1 ticket:T-2", [first]),
        ("noted:yes", [first, second]),
        ("noted:no", []),
        ("technique:T1580", [first, second]),
        ("technique:discovery", [first, second]),
        ("technique:T1078", []),
    ):
        assert ids(cli, db, "--filter", wanted) == expected, wanted


def test_author_is_taken_from_the_configuration(cli: Cli, db: Path) -> None:
    config.config_path().parent.mkdir(parents=True, exist_ok=True)
    config.config_path().write_text('author = "shift 2"')
    for author in ([], ["--author", "ana"]):
        cli("note", ids(cli, db)[0], "--db", db, "--text", "=seen", "--ticket", "T-1", *author)
    notes = cli("log", "export", "--db", db, "--format", "jsonl").objects
    assert [(note["author"], note["text"], note["ticket"]) for note in notes] == [
        ("ana", "=seen", "T-1"),
        ("shift 2", "=seen", "T-1"),
    ]
    one_line(cli("ack", "x", "--db", db, "--author", " "), 2, "--author")


@pytest.mark.parametrize("command", ["ack", "close", "reopen", "note", "assign"])
def test_wrong_decision_changes_nothing(command: str, cli: Cli, db: Path, tmp_path: Path) -> None:
    text = {"note": ["--text", "x"], "assign": ["--to", "x"]}.get(command, [])
    first = ids(cli, db)[0]
    one_line(cli(command, "--db", db, *text), 2, "--filter")
    one_line(
        cli(command, first, "--filter", "ana", "--db", db, *text), 2, "either by id or by --filter"
    )
    one_line(cli(command, first, "none", "--db", db, *text), 1, "none", "nothing was changed")
    one_line(cli(command, first, "--db", tmp_path / "none", *text), 1, "no database yet")
    with closing(Store.open(db)) as store:
        assert store.history.entries(first) == []


def test_alert_that_changes_meanwhile_is_left_and_told(
    cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of the filter and the decision."""
    first, second = ids(cli, db)
    decide = TriageTable.set_status

    def overtaken(triage: TriageTable, *given: object) -> object:
        monkeypatch.setattr(TriageTable, "set_status", decide)
        with closing(Store.open(db, author="colleague")) as other:
            other.triage.set_status([first], "closed")
        return decide(triage, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(TriageTable, "set_status", overtaken)
    ran = cli("ack", "--db", db, "--filter", "status:open")
    assert (ran.status, ran.out) == (1, f"{second}\n")
    assert f"changed meanwhile and left as is: {first} is closed" in ran.err
    with closing(Store.open(db)) as store:
        kinds = [entry.kind for entry in store.history.entries(first)]
    assert kinds == ["closed", "acknowledged refused"]


def test_assignee_that_changes_meanwhile_is_left_and_told(
    cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that nobody had may have got somebody."""
    first, second = ids(cli, db)
    assign = TriageTable.assign

    def overtaken(triage: TriageTable, *given: object) -> object:
        monkeypatch.setattr(TriageTable, "assign", assign)
        with closing(Store.open(db, author="colleague")) as other:
            other.triage.assign([first], "ben")
        return assign(triage, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(TriageTable, "assign", overtaken)
    ran = cli("assign", "--db", db, "--filter", "status:open", "--to", "dana")
    assert (ran.status, ran.out) == (1, f"{second}\n")
    assert f"changed meanwhile and left as is: {first} is ben" in ran.err


def test_parser_offers_every_verdict() -> None:
    assert NOTE_VERDICTS == VERDICTS
