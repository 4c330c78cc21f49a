"""``hunts``: records from the command line, runs with what is new, one report."""

from __future__ import annotations

import json
import stat
from contextlib import closing
from pathlib import Path

import pytest
import tomli
from msgspec import structs
from textual.binding import Binding

from detector.delivery.hunt_export import hunt_file_text
from detector.investigation.hunts.hunt_files import texts_of_hunt_file
from detector.store import Store
from detector.triage.hunt_record import HuntFinding, HuntQuery, HuntRecord
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import ANA, START, call, write
from tui.app.area_keys import AREA_BINDINGS

FILE = """[hunt]
name = "Keys made"
description = "Somebody makes keys."
query = [
'''
from logs-aws.cloudtrail-*
| where event.action == "CreateAccessKey"
| keep @timestamp, cloud.region''',
"from logs-aws.cloudtrail-* | stats n = count(*) by event.action",
]
"""
KEY = {"eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com"}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write(tmp_path / "logs", "a.json", [call(0, **KEY), call(1)])
    return tmp_path / "logs"


@pytest.fixture
def db(cli: Cli, logs: Path, tmp_path: Path) -> tuple[str, Path]:
    db = ("--db", tmp_path / "hunt.db")
    cli("scan", logs, *db, *ONLY_REFERENCE)
    return db


def begun(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> str:
    (tmp_path / "keys.toml").write_text(FILE)
    ran = cli("hunts", "new", "--file", tmp_path / "keys.toml", "--author", "ana", *db)
    assert ran.err == "hunt begun with 2 queries; area 9 of the app shows it\n"
    return ran.out.strip()


def test_a_rerun_prints_what_is_new(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> None:
    hunt = begun(cli, db, tmp_path)
    first = cli("hunts", "run", hunt, "--format", "jsonl", *db)
    assert len(first.objects) == 3
    assert first.err == "query 1: 1 row\nquery 2: 2 rows\n"
    write(tmp_path / "logs", "b.json", [call(60, "eu-west-1", **KEY)])
    cli("scan", tmp_path / "logs", *db, *ONLY_REFERENCE)
    again = cli("hunts", "run", hunt, "--new", "--format", "jsonl", *db)
    assert again.err == (
        "query 1: 2 rows, 1 new since the last run\nquery 2: 2 rows, 1 new since the last run\n"
    )
    assert again.objects == [
        {"@timestamp": "2026-03-01T10:01:00Z", "cloud.region": "eu-west-1"},
        {"n": 2, "event.action": "CreateAccessKey"},
    ]
    over = cli("hunts", "run", hunt, tmp_path / "logs", "--query", "query 1", *db)
    assert over.err == "query 1: 2 rows, 0 new since the last run\n"
    shown = cli("hunts", "show", hunt, "--format", "jsonl", *db).objects[0]
    assert [query["last_run"]["new"] for query in shown["queries"]] == [1, 1]


def test_a_column_of_a_query_does_not_act_on_the_terminal(cli: Cli, logs: Path) -> None:
    query = "from logs-aws.cloudtrail-* | stats `n\x1b[31m` = count(*)"
    assert cli("hunt", "--query", query, logs).out == "n\\x1b[31m\n2\n"


def test_logs_may_follow_options(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> None:
    hunt = begun(cli, db, tmp_path)
    ran = cli("hunts", "run", hunt, "--format", "jsonl", tmp_path / "logs", *db)
    assert (ran.status, len(ran.objects)) == (0, 3)
    assert cli("hunts", "show", hunt, *db).out.count("row") == 0  # such a run is not remembered


def test_scope_bounds_what_is_read(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(FILE)
    scope = ("--since", "2026-03-01T10:00:01", "--accounts", "111122223333")
    hunt = cli("hunts", "new", "--file", tmp_path / "keys.toml", *scope, *db).out.strip()
    rows = cli("hunts", "run", hunt, "--format", "jsonl", *db).objects
    assert rows == [{"n": 1, "event.action": "DescribeInstances"}]


def test_list_show_and_report(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> None:
    hunt = begun(cli, db, tmp_path)
    store = Store.open(tmp_path / "hunt.db", author="ben")
    finding = HuntFinding("principal", ANA, "user/ana", "2 calls | `x`", int(START))
    store.hunts.attach(hunt, [finding])
    store.hunts.conclude(store.hunts.get(hunt), "A test.\n# No heading")
    store.close()
    assert [row["name"] for row in cli("hunts", "list", "--format", "jsonl", *db).objects] == [
        "Keys made"
    ]
    assert cli("hunts", "list", "--filter", "state:open", *db).out == ""
    assert "concluded" in cli("hunts", "list", *db).out
    shown = cli("hunts", "show", hunt, *db).out
    assert f"principal   {ANA}  2026-03-01T10:00:00Z  user/ana: 2 calls" in shown
    report = tmp_path / "report.md"
    cli("hunts", "export", hunt, "-o", report, *db)
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text()
    assert text.startswith("# Hunt: Keys made\n\nConcluded. Begun ")
    assert "\n> A test.\n> \\# No heading\n" in text
    assert "| `user/ana` | 2 calls \\| \\`x\\` |" in text
    assert "| ben | hunt concluded | conclusion: A test. \\# No heading; state: concluded" in text
    assert text.count("| hunt begun |") == 1
    assert '\n    | where event.action == "CreateAccessKey"\n' in text
    cli("hunts", "export", hunt, "-o", report, *db)
    lines = cli("log", "export", "--format", "jsonl", *db).objects
    assert [line["type"] for line in lines] == ["hunt"]
    exported = cli("log", "export", "--format", "jsonl", "-o", tmp_path / "all.jsonl", *db)
    assert exported.err == f"1 decision in {tmp_path / 'all.jsonl'}\n"
    other = ("--db", tmp_path / "other.db")
    (tmp_path / "log.jsonl").write_text(json.dumps(lines[0]) + "\n")
    cli("log", "import", tmp_path / "log.jsonl", *other)
    theirs = cli("hunts", "show", hunt, *other).out
    assert theirs == shown


def test_a_hunt_is_written_over_what_it_was(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> None:
    shown = tmp_path / "hunt.txt"
    hunt = begun(cli, db, tmp_path)
    cli("hunts", "show", hunt, "-o", shown, *db)
    with closing(Store.open(db[1])) as store:
        store.hunts.edit(store.hunts.get(hunt), {"name": "Another name"})
    assert cli("hunts", "show", hunt, "-o", shown, *db).status == 0
    assert shown.read_text().startswith(f"{hunt}  open  Another name\n")


def test_faults_are_one_line(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> None:
    one_line(cli("hunts", "list", "--db", tmp_path / "none.db"), 1, "no database yet")
    one_line(cli("hunts", "new", *db), 2, "name the hunt, or a hunt file")
    one_line(cli("hunts", "new", "a", "--since", "soon", *db), 2, "since: soon is not a time")
    one_line(cli("hunts", "new", "--file", tmp_path / "none.toml", *db), 1, "cannot be read")
    one_line(cli("hunts", "show", "abcd", *db), 1, "no hunt abcd", "hunts list")
    empty = cli("hunts", "new", "empty", *db)
    assert empty.err == "hunt begun; area 9 of the app shows it\n"
    hunt = empty.out.strip()
    one_line(cli("hunts", "run", hunt, *db), 1, "no query")
    one_line(cli("hunts", "export", hunt, "--format", "toml", *db), 1, "no query in ES|QL")
    store = Store.open(tmp_path / "hunt.db")
    query = store.hunts.new_query("wrong", "kql", "event.action: (a or")
    store.hunts.save_query(store.hunts.get(hunt), query)
    store.close()
    refused = cli("hunts", "run", hunt, *db)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("wrong:1:20: ") and refused.err.endswith("^\n")


def test_a_refused_query_does_not_keep_others_from_running(
    cli: Cli, db: tuple[str, Path], tmp_path: Path
) -> None:
    hunt = begun(cli, db, tmp_path)
    with closing(Store.open(db[1])) as store:
        record = store.hunts.get(hunt)
        store.hunts.save_query(record, structs.replace(record.queries[0], text="from"))
    ran = cli("hunts", "run", hunt, "--format", "jsonl", *db)
    assert ran.status == 1 and len(ran.objects) == 2
    assert ran.err.startswith("query 1:1:") and ran.err.endswith("query 2: 2 rows\n")


def test_a_hunt_is_shown_whole(cli: Cli, db: tuple[str, Path], tmp_path: Path) -> None:
    hunt = begun(cli, db, tmp_path)
    with closing(Store.open(db[1])) as store:
        store.hunts.conclude(store.hunts.get(hunt), "word " * 200 + "end")
    assert cli("hunts", "show", hunt, *db).out.endswith("word end\n")


@pytest.mark.parametrize(
    "text",
    [
        "from a",
        'from a\n| where b == "it\'s"',
        "from a\n| where b == '''",
        'from a\r\n| where b == "\x7f é 𝄞"\'',
        "\n\nfrom a\n",
    ],
)
def test_a_hunt_file_reads_back(text: str, tmp_path: Path) -> None:
    queries = (HuntQuery("1", "one", "esql", text), HuntQuery("2", "two", "kql", "a: b"))
    hunt = HuntRecord("1", 0, "ana", 0, "ana", {"name": 'q"\\'}, "open", queries)
    path = tmp_path / "hunt.toml"
    path.write_text(hunt_file_text(hunt), newline="")
    assert tomli.loads(hunt_file_text(hunt))["hunt"]["query"] == [text]
    assert texts_of_hunt_file(path) == (
        {"name": 'q"\\', "hypothesis": ""},
        [("one", text.strip())],
    )


def test_help_names_the_key_of_the_app(cli: Cli) -> None:
    (keys,) = (
        binding.key
        for binding in AREA_BINDINGS
        if isinstance(binding, Binding) and binding.id == "area.hunts"
    )
    assert f"In the app: key {keys}, " in " ".join(cli("hunts", "--help").out.split())
