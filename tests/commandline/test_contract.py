"""The contract of the command line: exit statuses, errors, output streams."""

from __future__ import annotations

import csv
import io
import os
import pty
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from detector import __version__
from detector.store import Store
from tests.commandline.cli import ONLY_REFERENCE, Cli, Ran, one_line, two_sweeps
from tests.detector.trail import ANA, REFERENCE, REGIONS, call, rules, sweep, write


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return two_sweeps(tmp_path / "logs")


# usage and errors


@pytest.mark.parametrize(
    "args",
    [
        ["scan"],
        ["tail"],
        ["scan", "x", "--format", "xml"],
        ["scan", "x", "--jobs", "0"],
        ["scan", "x", "--jobs", "many"],
        ["scan", "x", "--window", "hopping"],
        ["scan", "x", "--no-such-option"],
        ["log"],
        ["log", "import"],
        ["suppress"],
        ["suppress", "add"],
        ["suppress", "add", "--principal", "a", "--account", "b"],
        ["suppress", "lift"],
        ["rules"],
        ["rules", "check"],
        ["status", "x"],
        ["--no-such-option"],
        ["tail", "x", "--format", "csv"],
        ["demo", "x"],
    ],
)
def test_usage_error_is_one_line(args: list[str], cli: Cli) -> None:
    one_line(cli(*args), 2, "--help")


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["scan"],
        ["tail"],
        ["demo"],
        ["log"],
        ["log", "export"],
        ["suppress"],
        ["suppress", "add"],
        ["suppress", "list"],
        ["suppress", "lift"],
        ["rules"],
        ["rules", "list"],
        ["rules", "check"],
        ["status"],
    ],
)
def test_every_command_has_help(args: list[str], cli: Cli) -> None:
    ran = cli(*args, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("usage: trailhound")


def test_version_option(cli: Cli) -> None:
    assert cli("--version") == Ran(0, f"trailhound {__version__}\n", "")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["scan", ".", "--since", "yeterday"],
            ["--since yeterday is not a time", "2026-03-01T11:30", "yesterday?"],
        ),
        (["scan", ".", "--until", "2026-02-30"], ["--until 2026-02-30"]),
        (["scan", ".", "--now", "noon"], ["--now noon"]),
        (["scan", ".", "--no-builtin"], ["no rules: add some", "--rules"]),
        (["hunt", "--query", "from x", ".", "--now", "noon"], ["--now noon"]),
        (["hunt", "hunt.toml"], ["hunt.toml: no source"]),
        (
            ["compact", "--db", __file__, "--retention", "soon"],
            ["--retention 'soon' is not a duration", "12h, 7d or 2w"],
        ),
        (
            ["suppress", "add", "--principal", "a", "--for", "1y", "--ticket", "T"],
            ["--for '1y' is not a duration", "12h, 7d or 2w"],
        ),
        (["suppress", "add", "--principal", "a"], ["add a ticket"]),
        (["suppress", "add", "--cidr", "here", "--ticket", "T"], ["not an address or network"]),
        (["suppress", "add", "--principal", "", "--ticket", "T"], ["name one"]),
    ],
)
def test_invalid_value_is_usage_error(args: list[str], words: Sequence[str], cli: Cli) -> None:
    one_line(cli(*args), 2, *words)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["scan", "/no/such/folder"],
            ["/no/such/folder: no such file or folder", "check the name"],
        ),
        (
            ["scan", ".", "--rules", "/no/such/rules"],
            ["/no/such/rules: no such rule file or folder"],
        ),
        (["scan", ".", "--asn-db", "/no/such.mmdb"], ["/no/such.mmdb: No such file"]),
        (["scan", ".", "--geo-db", __file__], ["not an .mmdb database: name"]),
        (["status", "--db", "/dev/null/x"], []),
        (["log", "export", "--db", __file__], ["test_contract.py", "--db"]),
        (["suppress", "lift", "nothing"], ["no suppression nothing", "suppress list"]),
    ],
)
def test_error_is_one_line_with_advice(args: list[str], words: Sequence[str], cli: Cli) -> None:
    if args == ["status", "--db", "/dev/null/x"]:
        ran = cli(*args)
        assert ran.status in (0, 1)
        assert "Traceback" not in ran.err
        return
    one_line(cli(*args), 1, *words)


def test_invalid_configuration_is_one_line(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for text in ("rules = 5", "colour = 'blue'", "rules = ["):
        write(tmp_path, "trailhound/config.toml", text.encode())
        one_line(cli("scan", tmp_path), 1, "config.toml")
    write(tmp_path, "trailhound/config.toml", b"retention = 'soon'")
    one_line(
        cli("compact", "--db", __file__), 1, "config.toml: retention: 'soon' is not a duration"
    )


def test_configuration_gives_defaults(
    cli: Cli, tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (path,) = (rule.path for rule in rules())
    write(
        tmp_path,
        "trailhound/config.toml",
        f"rules = ['{path}']\ndb = '{tmp_path}/mine.db'\n".encode(),
    )
    ran = cli("scan", logs, "--no-builtin", "--format", "jsonl")
    assert (ran.status, len(ran.objects)) == (0, 2)
    assert not (tmp_path / "mine.db").exists()  # a scan keeps no state unless it is named
    assert cli("suppress", "list").status == 0
    assert (tmp_path / "mine.db").exists()


@pytest.mark.parametrize("args", [[], ["."], ["demo"], ["--db", "x.db", "."]])
def test_app_without_terminal_names_alternatives(args: list[str], cli: Cli) -> None:
    one_line(cli(*args), 1, "needs a terminal", "trailhound scan", "trailhound tail")


def test_app_names_the_stream_that_is_no_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_line(cli(), 1, "standard input is none")
    terminal, inside = pty.openpty()
    with os.fdopen(inside, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        one_line(cli(), 1, "standard output is none")
    os.close(terminal)


# scan


def test_scan_prints_data_to_stdout_and_narration_to_stderr(cli: Cli, logs: Path) -> None:
    write(logs, "c.txt", b"no log")
    ran = cli("scan", logs, "--format", "jsonl", *ONLY_REFERENCE)
    assert ran.status == 0
    assert [alert["rule"]["id"] for alert in ran.objects] == [REFERENCE, REFERENCE]
    assert f"skipped: {logs}/c.txt: not JSON" in ran.err
    assert "files 3 found = 2 read + 0 waiting + 1 (not-json 1) skipped + 0 quarantined" in ran.err
    assert "records 22 seen = 22 read + 0 skipped + 0 rejected" in ran.err
    assert ran.err.rstrip().splitlines()[-1] == "2 alerts"


def test_scan_json_has_the_documented_shape(cli: Cli, logs: Path) -> None:
    first, second = cli("scan", logs, "--format", "jsonl", *ONLY_REFERENCE).objects
    assert first["window"] == {
        "mode": "tumbling",
        "start": "2026-03-01T10:00:00Z",
        "end": "2026-03-01T10:00:30Z",
    }
    assert second["first_event"] == second["last_event"] == "2026-03-01T10:05:00Z"
    assert first["key"] == {"aws.cloudtrail.user_identity.arn": ANA}
    assert {
        name: first["rule"][name] for name in ("id", "severity", "risk_score", "building_block")
    } == {"id": REFERENCE, "severity": "low", "risk_score": 21, "building_block": True}
    assert first["event_ids"] == sorted(f"{ANA}-0-{region}" for region in REGIONS[:10])
    assert first["columns"]["Esql.cloud_region_count_distinct"] == 10
    assert first["columns"]["Esql.cloud_region_values"] == sorted(REGIONS[:10])
    assert (first["status"], first["state"], first["revision"], first["suppressed_by"]) == (
        "open",
        "settled",
        1,
        None,
    )
    assert {type(first[name]) for name in ("flags", "event_ids", "supersedes")} == {list}
    assert set(first["risk"]) >= {"score", "severity"}
    assert re.fullmatch(r"[0-9a-f]+", first["alert_id"])


def test_missing_key_is_null_in_json(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "a.json", sweep(10, arn=None))
    (alert,) = cli("scan", tmp_path, "--format", "jsonl", *ONLY_REFERENCE).objects
    assert alert["key"] == {"aws.cloudtrail.user_identity.arn": None}


def test_scan_prints_csv_and_table(cli: Cli, logs: Path) -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(cli("scan", logs, "--format", "csv", *ONLY_REFERENCE).out, newline="")
        )
    )
    assert [(row["principal"], row["region_count"], row["first_event"]) for row in rows] == [
        (ANA, "10", "2026-03-01T10:00:00Z"),
        (ANA, "11", "2026-03-01T10:05:00Z"),
    ]
    table = cli("scan", logs, *ONLY_REFERENCE).out.splitlines()
    assert len(table) == 3
    assert all(line.endswith(ANA) for line in table[1:])
    assert table[1].startswith("2026-03-01 10:00:00")


def test_scan_without_alerts_prints_nothing(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "a.json", sweep(9))
    for form in ("table", "jsonl"):
        ran = cli("scan", tmp_path, "--format", form, *ONLY_REFERENCE)
        assert (ran.status, ran.out) == (0, "")


def test_exit_code_is_10_with_alerts(cli: Cli, logs: Path) -> None:
    assert cli("scan", logs, *ONLY_REFERENCE).status == 0
    assert cli("scan", logs, "--exit-code", *ONLY_REFERENCE).status == 10
    assert (
        cli("scan", logs, "--exit-code", "--until", "2026-03-01T09:00:00Z", *ONLY_REFERENCE).status
        == 0
    )
    assert cli("scan", logs / "nowhere", "--exit-code", *ONLY_REFERENCE).status == 1


@pytest.mark.parametrize(("options", "status", "strict"), [([], 0, 3), (["--exit-code"], 10, 3)])
def test_file_errors_are_told_and_fail_strict_scans(
    options: list[str], status: int, strict: int, cli: Cli, tmp_path: Path
) -> None:
    write(tmp_path, "a.json", b'{"Records": [')
    write(tmp_path, "b.json", sweep(10))
    ran = cli("scan", tmp_path, *options, *ONLY_REFERENCE)
    assert ran.status == status
    assert f"quarantined: {tmp_path}/a.json: " in ran.err
    again = cli("scan", tmp_path, "--strict", *options, *ONLY_REFERENCE)
    assert (again.status, again.out) == (strict, ran.out)
    assert "incomplete: " in again.err


def test_scan_fails_where_nothing_could_be_read(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "a.json", b'{"Records": [')
    for options in ([], ["--exit-code"], ["--strict"]):
        ran = cli("scan", tmp_path, *options, *ONLY_REFERENCE)
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.splitlines()[-1] == "trailhound: none of the named sources could be read"


@pytest.mark.parametrize("options", [[], ["--strict"]])
def test_scan_succeeds_where_there_is_nothing_wrong(
    options: list[str], cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert cli("scan", tmp_path / "empty", *options, *ONLY_REFERENCE).status == 0
    write(tmp_path, "logs/a.json", sweep(10))
    write(tmp_path, "logs/empty.json", b"")
    os.link(tmp_path / "logs/a.json", tmp_path / "logs/b.json")
    assert cli("scan", tmp_path / "logs", *options, *ONLY_REFERENCE).status == 0


@pytest.mark.parametrize(
    ("bounds", "region_counts"),
    [
        ([], [10, 11]),
        (["--since", "2026-03-01"], [10, 11]),
        (["--until", "2026-03-01"], []),
        (["--since", "2026-03-01T10:00:00Z"], [10, 11]),
        (["--since", "2026-03-01T10:00:01Z"], [11]),
        (["--until", "2026-03-01T10:05:00Z"], [10]),
        (["--until", "2026-03-01T10:05:01Z"], [10, 11]),
        (["--since", "2026-03-01T12:05:00+02:00"], [11]),
        (["--since", "2026-03-02"], []),
        (["--since", "10:01", "--now", "2026-03-01T12:00:00Z"], [11]),
        (["--until", "now-7117s", "--now", "2026-03-01T12:03:37Z"], [10]),
    ],
)
def test_since_and_until_select_by_event_time(
    bounds: list[str], region_counts: list[int], cli: Cli, logs: Path
) -> None:
    ran = cli("scan", logs, "--format", "jsonl", *bounds, *ONLY_REFERENCE)
    assert [len(alert["event_ids"]) for alert in ran.objects] == region_counts


def test_scan_with_sliding_windows(cli: Cli, tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.json",
        [call(25 + second, region) for second, region in enumerate(REGIONS[:10])],
    )
    assert cli("scan", tmp_path, "--format", "jsonl", *ONLY_REFERENCE).objects == []
    (alert,) = cli(
        "scan", tmp_path, "--format", "jsonl", "--window", "sliding", *ONLY_REFERENCE
    ).objects
    assert alert["window"] == {
        "mode": "sliding",
        "start": "2026-03-01T10:00:25Z",
        "end": "2026-03-01T10:00:55Z",
    }


def test_scan_result_is_same_with_several_processes(cli: Cli, tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, f"{number}.json", sweep(10, 30 * number)[number % 3 :])
    runs = [
        cli("scan", tmp_path, "--format", "jsonl", "--jobs", jobs, *ONLY_REFERENCE)
        for jobs in (1, 2)
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].objects) == 14


def test_scan_resumes_state(cli: Cli, logs: Path, tmp_path: Path) -> None:
    db = tmp_path / "hunt.db"
    first = cli("scan", logs, "--db", db, "--format", "jsonl", *ONLY_REFERENCE)
    write(logs, "c.json", sweep(12, 600))
    second = cli("scan", logs, "--db", db, "--format", "jsonl", *ONLY_REFERENCE)
    assert second.objects[:2] == first.objects
    assert [len(alert["event_ids"]) for alert in second.objects] == [10, 11, 12]
    assert "records 34 seen" in second.err
    store = Store.open(db)
    store.take_ingest()
    refused = cli("scan", logs, "--db", db, *ONLY_REFERENCE)
    store.close()
    one_line(refused, 1, f"process {os.getpid()}", "--db FILE")


def test_rule_in_error_is_named_and_others_run(cli: Cli, logs: Path, tmp_path: Path) -> None:
    bad = write(tmp_path, "rules/bad.toml", b"[rule]\nname = 'x'\n")
    ran = cli("scan", logs, "--format", "jsonl", "--rules", bad, *ONLY_REFERENCE)
    assert (ran.status, len(ran.objects)) == (0, 2)
    assert f"rule not loaded: {bad}:" in ran.err


def test_builtin_rules_include_reference_rule(cli: Cli, logs: Path) -> None:
    alerts = cli("scan", logs, "--format", "jsonl").objects
    assert len([alert for alert in alerts if alert["rule"]["id"] == REFERENCE]) == 2
    assert REFERENCE in cli("rules", "list").out


def test_source_path_may_look_like_a_pattern(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "logs[1]", "a.json", sweep(10))
    write(tmp_path, "what?.json", sweep(10, 60))
    for root in ("logs[1]", "what?.json"):
        assert len(cli("scan", tmp_path / root, "--format", "jsonl", *ONLY_REFERENCE).objects) == 1
