"""``backtest``: a rule beside a variant of it, over files and over a database."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from detector.rules.ruleset import load
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import ANA, REFERENCE, REFERENCE_FILE, call, sweep, write

BOB = ANA.replace("ana", "bob")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    write(folder, "a.json", [*sweep(9), *sweep(10, arn=BOB)])
    write(folder, "b.json", [call(40 + at, arn="arn:\x1b[31m") for at in range(9)])
    return folder


def test_backtest_of_files_and_of_a_database_agree(cli: Cli, logs: Path, tmp_path: Path) -> None:
    db = tmp_path / "hunt.db"
    cli("scan", logs, "--db", db, *ONLY_REFERENCE)
    variant = ["--set", "regions=9,events=9", "--format", "jsonl"]
    of_files = cli("backtest", REFERENCE, logs, *variant, *ONLY_REFERENCE)
    for file in logs.iterdir():
        file.unlink()  # the windows are held: nothing is read
    of_state = cli("backtest", "enumeration (burst)", "--db", db, *variant, *ONLY_REFERENCE)
    assert of_files.objects == of_state.objects
    summary, ana, bob = of_state.objects
    assert summary["set"] == {"regions": 9, "events": 9}
    assert (summary["now"]["alerts"], summary["with"]["alerts"]) == (1, 2)
    assert (summary["comes"], summary["goes"], summary["stays"]) == (1, 0, 1)
    assert (ana["principal"], ana["change"], ana["regions"]) == (ANA, "comes", 9)
    assert (bob["principal"], bob["change"]) == (BOB, "stays")
    assert "19 hits from 2026-03-01T10:00:00Z" not in of_state.err
    assert "28 hits from 2026-03-01T10:00:00Z" in of_state.err


def test_backtest_prints_what_changes(cli: Cli, logs: Path) -> None:
    ran = cli("backtest", REFERENCE, logs, "--set", "regions=1,events=9", *ONLY_REFERENCE)
    assert ran.out.splitlines() == [
        "Multi-region EC2 enumeration (burst): with regions ≥ 1, events ≥ 9",
        "  fires now 1 alert, 1 principal; with this 3 alerts, 3 principals; "
        "+ 2 alerts of 2 principals, − 0 alerts of 0 principals, stays 1 alert of 1 principal",
        "  precision by verdicts: no verdicts → no verdicts",
        "  + arn:\\x1b[31m                           1×  1 region, 9 events in 8 s",
        f"  + {ANA}     1×  9 regions, 9 events in under 1 s",
        f"    {BOB}     1×  10 regions, 10 events in under 1 s",
    ]


def test_backtest_lists_parameters_and_counts_a_grid(cli: Cli, logs: Path) -> None:
    listed = cli("backtest", REFERENCE, *[logs], *ONLY_REFERENCE)
    assert listed.out.splitlines()[1:] == ["  regions ≥ 10", "  events ≥ 10", "  window 30 s"]
    arguments = ["--set", "events=9", "--grid", "regions=9..10,window=5s..10s", *ONLY_REFERENCE]
    table = cli("backtest", REFERENCE, logs, *arguments)
    assert table.out.splitlines()[1:] == [
        "                5 s  10 s",
        "  regions ≥ 9   2/2   2/2",
        "  regions ≥ 10  1/1   1/1",
    ]
    cells = cli("backtest", REFERENCE, logs, *arguments, "--format", "jsonl").objects
    assert cells[0] == {
        "set": {"events": 9, "regions": 9, "window": 5},
        "alerts": 2,
        "principals": 2,
    }
    assert len(cells) == 4


def test_backtest_saves_a_rule_of_ones_own(cli: Cli, logs: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    ran = cli(
        *("backtest", REFERENCE, logs, "--set", "regions=9,events=9", *ONLY_REFERENCE),
        *("--save", path, "--name", "Nine", "--reason", "CHG-1"),
    )
    assert (ran.status, "saved as" in ran.err) == (0, True)
    (rule,) = load([path], builtin=False)
    assert (rule.name, rule.thresholds) == ("Nine", ("≥9 regions", "≥9 events"))
    found = cli("scan", logs, "--no-builtin", "--rules", path, "--format", "jsonl")
    assert {alert["principal"] for alert in found.objects} == {ANA, BOB}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no such rule", "."], ["no such rule: trailhound rules list"]),
        (["a", "."], ["rules: ", "name one by its id"]),
        ([REFERENCE], ["no database yet", "--db FILE"]),
        ([REFERENCE, ".", "--set", "hours=3"], ["no parameter hours", "regions ≥ 10"]),
    ],
)
def test_backtest_refuses_in_one_line(
    arguments: list[str],
    words: list[str],
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    one_line(cli("backtest", *arguments), 1, *words)


def test_backtest_save_needs_a_variant(cli: Cli, logs: Path, tmp_path: Path) -> None:
    ran = cli("backtest", REFERENCE, logs, "--save", tmp_path / "x.toml", *ONLY_REFERENCE)
    one_line(ran, 2, "--save needs --set")


def test_explain_a_principal_and_an_event(cli: Cli, logs: Path, tmp_path: Path) -> None:
    db = tmp_path / "hunt.db"
    cli("scan", logs, "--db", db, *ONLY_REFERENCE)
    for where in ([logs], ["--db", db]):
        told = cli("explain", REFERENCE, "--principal", ANA, *where, *ONLY_REFERENCE)
        assert told.out.splitlines()[1:] == [
            f"{ANA}: no alert",
            "  nearest: 9 of 10 regions, 9 of 10 events in under 1 s",
            "    9 events in under 1 s, window 2026-03-01T10:00:00Z – 2026-03-01T10:00:30Z",
            "     no  ≥10 regions: 9",
            "     no  ≥10 events: 9",
        ]
        event_id = f"{BOB}-0-eu-west-1"
        told = cli("explain", REFERENCE, event_id, *where, *ONLY_REFERENCE, "--format", "jsonl")
        (answer,) = told.objects
        assert answer["rule"]["id"] == REFERENCE
        assert (answer["passes"], answer["windows"][0]["fires"]) == (True, True)
        assert [each["holds"] for each in answer["conditions"]] == [True] * 3
    one_line(cli("explain", REFERENCE), 2, "explain whom? name --principal ARN")
    one_line(cli("explain", REFERENCE, "--principal", ""), 2, "--principal is empty")
    one_line(cli("explain", REFERENCE, "no-such-id", logs, *ONLY_REFERENCE), 1, "no such event")


def test_rules_test_runs_the_examples_beside_a_rule(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "sweep.toml").write_text(REFERENCE_FILE.read_text(encoding="utf-8"))
    examples = folder / "sweep.examples.jsonl"
    assert "write NAME.examples.jsonl" in cli("rules", "test", folder).err

    def write_examples(*fires: bool) -> None:
        counts = (10, 9)
        examples.write_text(
            "".join(
                json.dumps({"name": f"<{count}>", "fires": each, "records": sweep(count)}) + "\n"
                for count, each in zip(counts, fires, strict=True)
            )
        )

    write_examples(True, False)
    ran = cli("rules", "test", folder)
    assert (ran.status, ran.out, ran.err) == (0, "", "2 examples of 1 rule, 0 failed\n")
    write_examples(True, True)
    report = tmp_path / "report.xml"
    cli("rules", "test", folder, "--junit", report)
    ran = cli("rules", "test", folder, "--junit", report)  # CI writes it over that of a run before
    assert (ran.status, ran.out.splitlines()) == (
        1,
        [f"{examples}:2: Multi-region EC2 enumeration (burst): <9>: must fire, and does not"],
    )
    suite = ElementTree.fromstring(report.read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["<9>"]
    examples.write_text('{"name": "x"}')
    one_line(cli("rules", "test", folder), 1, f"{examples}:1:", "fires")


def test_near_misses_are_listed(cli: Cli, logs: Path) -> None:
    ran = cli("backtest", REFERENCE, logs, "--near", *ONLY_REFERENCE)
    assert ran.out.splitlines() == [
        f" 90%  {ANA}",
        "      9 of 10 regions, 9 of 10 events in under 1 s",
    ]
    looser = cli("backtest", REFERENCE, logs, "--near", "--set", "regions=9,events=9")
    assert (looser.status, looser.out) == (0, "")
