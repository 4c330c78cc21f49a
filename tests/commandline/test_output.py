"""Where output goes: files, formats for programs, quiet, and options before the command."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.inventory.inventory import Inventory
from detector.inventory.inventory_files import use_inventory
from detector.text.private_files import NoExportError, write_export
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line, two_sweeps
from tests.detector.trail import ANA, REFERENCE, call, sweep, write
from tui.commandline.parser import command_first
from tui.settings import config


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write(tmp_path / "logs", "a.json", [*sweep(10), call(40, eventName="DescribeRegions")])
    return tmp_path / "logs"


@pytest.fixture
def db(cli: Cli, logs: Path, tmp_path: Path) -> Path:
    path = tmp_path / "hunt.db"
    cli("scan", logs, "--db", path, *ONLY_REFERENCE)
    return path


QUERY = "from logs-aws.cloudtrail-* | keep event.action | limit 2"
COMMANDS = (
    ("scan", "LOGS", "--format", "jsonl", *ONLY_REFERENCE),
    ("scan", "LOGS", "--format", "table", *ONLY_REFERENCE),
    ("alerts", "--db", "DB", "--format", "csv"),
    ("alerts", "--db", "DB", "--format", "csv", "--spreadsheet"),
    ("rules", "list", "--format", "jsonl"),
    ("rules", "list", "--format", "navigator"),
    ("status", "--db", "DB", "--format", "jsonl"),
    ("status", "--db", "DB"),
    ("suppress", "list", "--db", "DB", "--format", "jsonl"),
    *[("principals", "LOGS", "--format", each) for each in ("table", "csv", "jsonl")],
    *[("events", "LOGS", "--format", each) for each in ("table", "csv", "jsonl")],
    ("keys",),
    ("rules", "list"),
    ("suppress", "list", "--db", "DB"),
    ("hunt", "--query", "from logs-aws.cloudtrail-* | keep event.action | limit 2", "LOGS"),
    (
        "hunt",
        "--query",
        "from logs-aws.cloudtrail-* | keep event.action | limit 2",
        "LOGS",
        "--format",
        "jsonl",
    ),
    ("log", "export", "--db", "DB"),
    ("backtest", REFERENCE, "--db", "DB", *ONLY_REFERENCE),
    ("explain", REFERENCE, "--db", "DB", "--principal", ANA, *ONLY_REFERENCE),
    *[("watch", "list", "--db", "DB", "--format", each) for each in ("table", "csv", "jsonl")],
    ("backtest", REFERENCE, "--db", "DB", "--format", "jsonl", *ONLY_REFERENCE),
    (
        "backtest",
        REFERENCE,
        "--db",
        "DB",
        "--set",
        "regions=8",
        "--format",
        "jsonl",
        *ONLY_REFERENCE,
    ),
    (
        "backtest",
        REFERENCE,
        "--db",
        "DB",
        "--grid",
        "regions=8..9",
        "--format",
        "jsonl",
        *ONLY_REFERENCE,
    ),
    ("explain", REFERENCE, "--db", "DB", "--principal", ANA, "--format", "jsonl", *ONLY_REFERENCE),
)


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: "-".join(args[:4]))
def test_output_file_has_what_would_be_printed(
    args: tuple[str, ...], cli: Cli, db: Path, logs: Path, tmp_path: Path
) -> None:
    given = [{"LOGS": str(logs), "DB": str(db)}.get(arg, arg) for arg in args]
    printed = cli(*given)
    out = tmp_path / "out"
    for _ in range(2):  # a second run writes over the first's
        ran = cli(*given, "-o", out)
        assert (ran.status, ran.out) == (0, "")
        assert out.read_bytes().decode() == printed.out
        assert out.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []


@pytest.mark.parametrize("command", ["principals", "events"])
@pytest.mark.parametrize("format", ["md", "html"])
def test_second_run_writes_over_documents(
    command: str, format: str, cli: Cli, logs: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        assert cli(command, logs, "--format", format, "-o", tmp_path / "out").status == 0


FORMER_EXPORTS = (
    b"2026-03-01 12:59:58  eu-central-1    GetCallerIdentity  ok  10.36.4.12  -  arn:aws:iam::1\n",
    b"0a1b2c3d  lifted   until 2026-03-01T10:00:00Z  hidden     3  principal arn  CHG-1\n",
    b"9a49ff4f-e499-47be-9fef-bb7626646381  low       Burst of calls\n    flag discovery-burst: \n",
    b"Triage\n  a                alert.acknowledge        Acknowledge (Alerts)\n",
    b"## Triage\n\n| key | what it does | where | id |\n",
)
OF_OTHERS = (
    b"2026-03-01 12:59:58  INFO  started\n",
    b"0a1b2c3d  core.c\n",
    b"9a49ff4f-e499-47be-9fef-bb7626646381  my notes\n",
    b"Triage\n\nwhat to do first\n",
    b"## Triage\n\nwhat to do first\n",
)


@pytest.mark.parametrize("former", FORMER_EXPORTS)
def test_table_is_written_over_former_one_of_other_rows(former: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(former)
    write_export(out, "other rows\n")
    assert out.read_text() == "other rows\n"


@pytest.mark.parametrize("former", OF_OTHERS)
def test_table_is_not_written_over_text_that_looks_like_one(former: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(former)
    with pytest.raises(NoExportError):
        write_export(out, "other rows\n")
    assert out.read_bytes() == former


@pytest.mark.parametrize(
    "args",
    [
        ["hunt", "--query", QUERY, "LOGS"],
        ["pivot", "LOGS", "--principal", ANA, "--around", "2026-03-01T10:00:00Z"],
    ],
)
def test_output_of_searches_goes_to_a_file(
    args: list[str], cli: Cli, logs: Path, tmp_path: Path
) -> None:
    given = [str(logs) if arg == "LOGS" else arg for arg in args]
    cli(*given, "-o", tmp_path / "out")
    assert (tmp_path / "out").read_text() == cli(*given).out


def test_output_is_never_written_over_another_file(cli: Cli, db: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    ran = cli("alerts", "--db", db, "-o", mine, "--quiet")
    one_line(ran, 1, "not a trailhound export", "name another file with -o")
    assert mine.read_text() == "precious"
    one_line(cli("alerts", "--db", db, "-o", tmp_path / "no" / "x", "--quiet"), 1, "-o")


def test_alerts_are_exported_for_people(cli: Cli, db: Path) -> None:
    markdown = cli("alerts", "--db", db, "--format", "md", "--filter", "calls>3").out
    assert markdown.startswith("# Alerts\n\n1 alert: calls\\>3.\n")
    assert "`user/ana`" in markdown
    page = cli("alerts", "--db", db, "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert "<code>user/ana</code>" in page
    text = cli("alerts", "--db", db, "--format", "csv", "--spreadsheet").out
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert row["first_event"] == "2026-03-01 10:00:00"


@pytest.mark.parametrize("format", ["table", "jsonl", "csv", "md", "html", "ocsf"])
@pytest.mark.parametrize("filter", ["", "severity:none"])
def test_alerts_are_the_same_however_many_are_printed_at_once(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, filter: str
) -> None:
    arguments = ("scan", two_sweeps(tmp_path), *ONLY_REFERENCE, "--format", format)
    if filter:
        arguments += ("--filter", filter)
    printed = cli(*arguments).out
    monkeypatch.setattr("tui.commandline.alert_output._LINES_AT_ONCE", 1)
    again = cli(*arguments).out
    assert without_clock(again) == without_clock(printed)
    assert bool(printed) or bool(filter)


def without_clock(text: str) -> str:
    """Leave out the times at which an export was made."""
    return re.sub(r"Generated [^,]*", "", text)


def test_status_is_one_object(cli: Cli, db: Path, tmp_path: Path) -> None:
    cli("ack", "--db", db, "--filter", "calls>3")
    (status,) = cli("status", "--db", db, "--format", "jsonl").objects
    assert status["alerts"] == {
        "total": 1,
        "open": 0,
        "acknowledged": 1,
        "closed": 0,
        "suppressed": 0,
        "unassigned": 1,
    }
    assert status["accounting"]["files_read"] == 1
    assert (status["state"], status["newest_event"]) == (str(db), "2026-03-01T10:00:40Z")
    (none,) = cli("status", "--db", tmp_path / "none", "--format", "jsonl").objects
    assert none["exists"] is False


def test_rules_say_what_they_look_for_and_found(cli: Cli, db: Path) -> None:
    listed = cli("rules", "list", "--format", "jsonl", "--db", db, *ONLY_REFERENCE).objects
    assert [(rule["rule_id"], rule["alerts"], rule["techniques"]) for rule in listed] == [
        (REFERENCE, 1, ["T1580"])
    ]
    layer = json.loads(
        cli("rules", "list", "--format", "navigator", "--db", db, *ONLY_REFERENCE).out
    )
    assert [(each["techniqueID"], each["score"]) for each in layer["techniques"]] == [("T1580", 1)]
    one_line(cli("rules", "list", "--format", "jsonl", "--db", db / "none"), 1, "no database yet")


def test_quiet_narrates_only_what_is_wrong(cli: Cli, logs: Path, tmp_path: Path) -> None:
    ran = cli("scan", logs, "--quiet", *ONLY_REFERENCE)
    assert (ran.status, ran.err) == (0, "")
    assert "records" in cli("scan", logs, *ONLY_REFERENCE).err
    write(logs, "cut.json", b'{"Records": [')
    ran = cli("scan", logs, "--quiet", *ONLY_REFERENCE)
    assert "cut.json" in ran.err
    assert "records" not in ran.err.replace("cut.json", "")


# options before the command


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (["scan", "x"], ["scan", "x"]),
        (["--db", "d", "scan", "x"], ["scan", "x", "--db", "d"]),
        (["--db=d", "scan", "x"], ["scan", "x", "--db=d"]),
        (["--quiet", "--db", "d", "log", "export"], ["log", "export", "--quiet", "--db", "d"]),
        (["--db", "scan", "x"], ["--db", "scan", "x"]),
        (["--no-builtin", "--rules", "r", "scan", "-", "--", "-x"],
         ["scan", "-", "--no-builtin", "--rules", "r", "--", "-x"]),
        (["--db", "d"], ["--db", "d"]),
        (["--db"], ["--db"]),
        (["logs", "scan"], ["logs", "scan"]),
        (["--", "scan"], ["--", "scan"]),
        (["--version"], ["--version"]),
        ([], []),
    ],
)  # fmt: skip
def test_options_move_behind_the_command(given: list[str], parsed: list[str]) -> None:
    assert command_first(given) == parsed


def test_options_stand_before_the_command(cli: Cli, db: Path) -> None:
    before = cli("--db", db, "alerts", "--format", "jsonl")
    assert before == cli("alerts", "--db", db, "--format", "jsonl")
    assert before.objects[0]["first_event"] == "2026-03-01T10:00:00Z"
    one_line(cli("--jobs", "2", "alerts", "--db", db), 2, "--jobs")


# names that people gave


@pytest.fixture
def names() -> Iterator[Path]:
    """The configuration lists a file of names, which is in its folder."""
    folder = config.config_path().parent
    folder.mkdir(parents=True, exist_ok=True)
    config.config_path().write_text('inventory = ["names.toml"]')
    yield folder / "names.toml"
    config.config_path().unlink()
    use_inventory(Inventory())


def test_alerts_are_filtered_by_names_that_people_gave(cli: Cli, db: Path, names: Path) -> None:
    names.write_text(
        '[accounts]\n111122223333 = "Production"\n'
        '[networks]\nhome = ["0.0.0.0/0"]\n'
        '[[known]]\nname = "scanner"\nprincipal = "*:user/ana"\nticket = "CHG-9"\n'
    )
    for wanted, count in (
        ("account:prod", 1),
        ("account:111122223333", 1),
        ("account:staging", 0),
        ("network:home", 1),
        ("known:scanner known:CHG-9", 1),
        ('known:""', 0),
    ):
        ran = cli("alerts", "--db", db, "--format", "jsonl", "--filter", wanted)
        assert len(ran.objects) == count, wanted
    (alert,) = cli("alerts", "--db", db, "--format", "jsonl").objects
    assert (alert["account_names"], alert["accounts"]) == (["Production"], ["111122223333"])


def test_names_in_error_are_said_and_nothing_is_left_out(cli: Cli, db: Path, names: Path) -> None:
    names.write_text("[accounts")
    ran = cli("alerts", "--db", db, "--format", "jsonl", "--quiet")
    assert len(ran.objects) == 1
    assert str(names) in ran.err
    assert ran.err.count("\n") == 1


def test_failed_command_leaves_former_export(cli: Cli, logs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("# Hunt log\n")
    assert cli("hunt", "--query", "from nowhere", logs, "-o", out).status == 2
    assert out.read_text() == "# Hunt log\n"


def test_table_of_alerts_is_in_order_of_time_with_whole_rule_names(cli: Cli) -> None:
    table = cli("scan", Path(__file__).parents[2] / "sample_logs").out
    times = [line[:19] for line in table.splitlines()[1:]]
    assert len(times) == 16 and times == sorted(times)
    assert "First-time GetCallerIdentity by a user or key  " in table
    assert "characters)" not in table
