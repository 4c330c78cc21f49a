"""``--filter``: one language on every command, as in the app."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.store import Store
from detector.triage.note import NoteBody
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line, two_sweeps
from tests.detector.trail import ANA, Stepping, sweep, write
from tests.tui.stage import RULES, Hunt, press
from tui.app.app import HuntApp

AROUND = ("--principal", ANA, "--around", "2026-03-01T10:00:00Z")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return two_sweeps(tmp_path / "logs")


def test_scan_filters_alerts_and_accounts_for_all(cli: Cli, logs: Path) -> None:
    everything = cli("scan", logs, "--format", "jsonl", *ONLY_REFERENCE)
    some = cli("scan", logs, "--format", "jsonl", "--filter", "calls>10", *ONLY_REFERENCE)
    assert some.objects == [alert for alert in everything.objects if len(alert["event_ids"]) > 10]
    assert "1 of 2 alerts match --filter" in some.err
    assert [line for line in some.err.splitlines() if "=" in line] == [
        line for line in everything.err.splitlines() if "=" in line
    ]
    assert cli("scan", logs, "--exit-code", "--filter", "calls>99", *ONLY_REFERENCE).status == 0


def test_view_reference_expands_to_its_filter(cli: Cli, logs: Path) -> None:
    asked = ("scan", logs, "--format", "jsonl", *ONLY_REFERENCE, "--filter")
    assert (
        cli(*asked, "@serious or calls>10").objects
        == cli(*asked, "severity>=high or calls>10").objects
        != []
    )
    one_line(cli(*asked, "@serius"), 2, "no view @serius of alerts; did you mean serious?")


def test_relative_filter_times_count_from_newest_record(cli: Cli, logs: Path) -> None:
    ran = cli("scan", logs, "--format", "jsonl", "--filter", "last 2m", *ONLY_REFERENCE)
    assert len(ran.objects) == 1
    assert "1 of 2 alerts match --filter, time since 2026-03-01 1" in ran.err


@pytest.mark.parametrize(
    "command",
    [["scan", "nowhere"], ["tail", "nowhere"], ["log", "export"], ["pivot", "nowhere", *AROUND]],
    ids=lambda command: command[0],
)
def test_invalid_filter_is_refused_before_reading(cli: Cli, command: list[str]) -> None:
    one_line(
        cli(*command, "--filter", "acount:\x1b1"), 2, r"--filter acount:\x1b1: no field acount"
    )
    one_line(cli(*command, "--filter", "severity:"), 2, "severity: needs a value")


def test_tail_filters_alerts(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = tmp_path / "live"
    steps = (
        lambda: write(live, "a.json", sweep(10)),
        lambda: write(live, "b.json", sweep(12, 300)),
        lambda: None,
    )
    monkeypatch.setattr(
        "tui.commandline.commands.tail.open_named_sources",
        lambda names, **_: Stepping([live], steps),
    )
    ran = cli(
        "tail", live, "--db", tmp_path / "hunt.db", "--filter", "regions>=12", *ONLY_REFERENCE
    )
    assert [len(alert["event_ids"]) for alert in ran.objects] == [12]
    assert "files 2 found = 2 read" in ran.err


def test_log_export_filters_notes(cli: Cli, logs: Path, tmp_path: Path) -> None:
    state = tmp_path / "hunt.db"
    cli("scan", logs, "--db", state, *ONLY_REFERENCE)
    store = Store.open(state)
    for alert, verdict in zip(store.alerts.all(), ("benign", "escalated"), strict=True):
        store.triage.add_notes([alert], NoteBody("said", verdict))
    store.close()
    ran = cli(
        "log", "export", "--db", state, "--format", "jsonl", "--filter", "verdict:esc since today"
    )
    assert [entry["verdict"] for entry in ran.objects] == ["escalated"]


def test_pivot_filters_events(cli: Cli, logs: Path) -> None:
    ran = cli(
        "pivot", logs, *AROUND, "--format", "jsonl", "--filter", "call:*Regions", *ONLY_REFERENCE
    )
    assert {row["action"] for row in ran.objects} == {"DescribeRegions"}


def test_scan_and_app_show_same_alerts(cli: Cli, tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    filters = (
        "severity>=medium",
        "source:203.0.113.0/24 or principal:*ben",
        "regions>=12 -agent:kali",
        "last 90m",
    )
    printed = [
        [
            alert["alert_id"]
            for alert in cli(
                "scan",
                hunt.trail,
                "--format",
                "jsonl",
                "--no-builtin",
                "--rules",
                RULES,
                "--filter",
                text,
            ).objects
        ]
        for text in filters
    ]

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        app.view_model.newest = hunt.store.files.newest_event_time()
        for text, wanted in zip(filters, printed, strict=True):
            app.screen.filter_bar.apply(text)
            await press(pilot)
            assert sorted(app.screen.row_list.keys) == sorted(wanted), text

    assert all(printed)
    hunt.play(journey)
