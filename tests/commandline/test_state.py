"""The commands that work on a state, and whole processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.ingest import pipeline
from detector.store import Store
from detector.triage.note import NoteBody
from tests.commandline.cli import ONLY_REFERENCE, Cli, Ran, one_line, two_sweeps
from tests.detector.damage import damage_table
from tests.detector.trail import ANA, REGIONS, Stepping, call, document, lines, rules, sweep, write
from tui.commandline.termination import stop_on_signals


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return two_sweeps(tmp_path / "logs")


# tail


@pytest.fixture
def tail(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """Run ``tail`` on the folder ``live``, one sweep after each step."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*steps: Callable[[], object]) -> Ran:
        monkeypatch.setattr(
            "tui.commandline.commands.tail.open_named_sources",
            lambda names, **_: Stepping([Path(name) for name in names], steps),
        )
        return cli("tail", tmp_path / "live", "--db", tmp_path / "hunt.db", *ONLY_REFERENCE)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def test_tail_prints_new_and_revised_alerts(tail: Cli, tmp_path: Path) -> None:
    live = tmp_path / "live"
    ran = tail(
        lambda: write(live, "a.json", sweep(9)),
        lambda: write(live, "b.json", [call(3, REGIONS[9])]),
        lambda: write(live, "c.json", [call(4, REGIONS[9])]),
        lambda: write(live, "d.json", [call(4, REGIONS[9])]),
        lambda: write(live, "e.json", sweep(10, 60)),
        lambda: None,
    )
    assert ran.status == 0
    assert [len(alert["event_ids"]) for alert in ran.objects] == [10, 11, 10]
    first, revised, other = ran.objects
    assert first["alert_id"] == revised["alert_id"] != other["alert_id"]
    assert first["revision"] == 1 < revised["revision"]
    assert "files 5 found = 5 read" in ran.err


@pytest.mark.parametrize(("error", "scores"), [(None, [21]), ("Client.Denied", [21, 31])])
def test_tail_prints_an_alert_again_where_its_flags_say_more(
    tail: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: str | None,
    scores: list[int],
) -> None:
    """One that is found while files are read is not held back until its flags are known."""
    monkeypatch.setattr(pipeline, "PUBLISH_EVERY", 0)
    write(tmp_path / "live", "a.json", sweep(10, errorCode=error))
    alerts = tail().objects
    assert [alert["risk"]["score"] for alert in alerts] == scores
    assert {alert["revision"] for alert in alerts} == {1}


def test_tail_resumes_where_it_stopped(tail: Cli, tmp_path: Path) -> None:
    live = tmp_path / "live"
    write(live, "a.json", sweep(10))
    assert len(tail().objects) == 1
    resumed = tail(lambda: write(live, "b.json", sweep(10, 60)))
    assert [alert["first_event"] for alert in resumed.objects] == ["2026-03-01T10:01:00Z"]
    assert "records 20 seen" in resumed.err


def test_tail_reports_withdrawn_alerts(
    tail: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = tmp_path / "live"
    write(live, "a.json", sweep(10))
    (first,) = tail().objects
    smaller = [{**record, "eventTime": "2026-03-01T09:00:00Z"} for record in sweep(1)]
    ran = tail(
        lambda: write(live, "b.json", smaller)
    )  # another claim to an event takes it out of its window
    assert ran.objects == []
    assert f"retracted: alert {first['alert_id']}" in ran.err


# the hunt log, suppressions, status


@pytest.fixture
def db(cli: Cli, logs: Path, tmp_path: Path) -> Path:
    """A state with two alerts and a note on the later one."""
    path = tmp_path / "hunt.db"
    cli("scan", logs, "--db", path, *ONLY_REFERENCE)
    store = Store.open(path)
    store.triage.add_notes(
        [store.alerts.all()[0]], NoteBody("[x](https://evil.example)", "benign", "T-9", "sec")
    )
    store.close()
    return path


def test_log_export_to_stdout(cli: Cli, db: Path) -> None:
    markdown = cli("log", "export", "--db", db)
    assert (markdown.status, markdown.err) == (0, "")
    assert markdown.out.startswith("# Hunt log\n\n1 entry.\n")
    assert "](" not in markdown.out.replace("\\]", "")
    (note,) = cli("log", "export", "--db", db, "--format", "jsonl").objects
    assert (note["text"], note["ticket"]) == ("[x](https://evil.example)", "T-9")
    assert len(cli("log", "export", "--db", db, "--format", "csv").out.split("\r\n")) == 3
    assert (
        len(
            cli(
                "log", "export", "--db", db, "--format", "jsonl", "--alert", note["alert_id"]
            ).objects
        )
        == 1
    )
    assert cli("log", "export", "--db", db, "--format", "jsonl", "--alert", "other").out == ""


def test_log_export_to_private_file(cli: Cli, db: Path, tmp_path: Path) -> None:
    out = write(tmp_path, "log.csv", b"note_id,older and longer " * 1000)
    out.chmod(0o666)
    ran = cli("log", "export", "--db", db, "--format", "csv", "-o", out)
    assert (ran.status, ran.out, ran.err) == (0, "", f"1 note in {out}\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_bytes().count(b"\r\n") == 2
    one_line(cli("log", "export", "--db", db, "-o", tmp_path), 1, "-o")
    one_line(cli("log", "export", "--db", db, "-o", tmp_path / "no" / "such"), 1, "-o")


@pytest.mark.parametrize(
    "content",
    [
        b"older and longer",
        b"SQLite format 3\0",
        b'{"Records":[]}',
        b"\x7fELF",
        b"%PDF-1.4",
        b"\0" * 4096,
        b"[trailhound]",
        b"# Notes of my own\n",
        b"{}\n",
        b"n",
    ],
)
def test_log_export_leaves_files_of_others(
    cli: Cli, db: Path, tmp_path: Path, content: bytes
) -> None:
    out = write(tmp_path, "of-others", content)
    one_line(cli("log", "export", "--db", db, "-o", out), 1, "-o", "not a trailhound export")
    assert out.read_bytes() == content


def test_log_export_leaves_the_state(cli: Cli, db: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(db)
    before = db.read_bytes()
    for name in (db, link, db.parent / "." / db.name):
        one_line(cli("log", "export", "--db", db, "-o", name), 1, "not a trailhound export")
    assert db.read_bytes() == before
    assert len(cli("log", "export", "--db", db, "--format", "jsonl").objects) == 1


@pytest.mark.parametrize("content", [None, b"", b"# Hunt log\n"])
@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal", ".lock"])
def test_log_export_leaves_what_belongs_to_the_state(
    cli: Cli, db: Path, tmp_path: Path, ending: str, content: bytes | None
) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(db.read_bytes())
    beside = Path(f"{other}{ending}")
    if content is not None:
        beside.write_bytes(content)
    one_line(cli("log", "export", "--db", db, "-o", beside), 1, "belongs to other.db")
    assert (beside.read_bytes() if beside.exists() else None) == content


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("format", ["md", "jsonl", "csv"])
def test_failed_export_leaves_the_former_one(
    cli: Cli, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, format: str
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    out = folder / "log"
    assert cli("log", "export", "--db", db, "--format", format, "-o", out).status == 0
    before = out.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(f"os.{call}", full)
        one_line(cli("log", "export", "--db", db, "--format", format, "-o", out), 1, "No space")
    assert out.read_bytes() == before
    assert [each.name for each in folder.iterdir()] == ["log"]


def test_suppression_is_added_listed_and_lifted(cli: Cli, db: Path, logs: Path) -> None:
    made = cli(
        "suppress",
        "add",
        "--db",
        db,
        "--principal",
        ANA,
        "--for",
        "2w",
        "--ticket",
        "T-1",
        "--owner",
        "sec",
    )
    (name,) = made.out.split()
    assert (made.status, "hides 2" in made.err) == (0, True)
    (listed,) = cli("suppress", "list", "--db", db, "--format", "jsonl").objects
    assert {
        key: listed[key]
        for key in ("suppression_id", "scope", "value", "ticket", "owner", "state", "hidden")
    } == {
        "suppression_id": name,
        "scope": "principal",
        "value": ANA,
        "ticket": "T-1",
        "owner": "sec",
        "state": "active",
        "hidden": 2,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed["expires"])
    assert cli("suppress", "list", "--db", db).out.startswith(f"{name}  active ")
    shown = cli("scan", logs, "--db", db, "--format", "jsonl", *ONLY_REFERENCE)
    assert {alert["suppressed_by"] for alert in shown.objects} == {name}
    lifted = cli("suppress", "lift", "--db", db, name)
    assert (lifted.status, lifted.out, "ended" in lifted.err) == (0, "", True)
    assert cli("suppress", "list", "--db", db).out.startswith(f"{name}  lifted ")
    shown = cli("scan", logs, "--db", db, "--format", "jsonl", *ONLY_REFERENCE)
    assert {alert["suppressed_by"] for alert in shown.objects} == {None}


@pytest.mark.parametrize(
    ("option", "value", "hidden"),
    [
        ("--principal-pattern", "*:user/a*", 2),
        ("--access-key", "AKIAEXAMPLE", 2),
        ("--user-agent", "aws-cli/*", 2),
        ("--cidr", "203.0.113.0/24", 2),
        ("--account", "111122223333", 2),
        ("--role", "arn:none", 0),
    ],
)
def test_suppress_add_accepts_every_scope(
    option: str, value: str, hidden: int, cli: Cli, db: Path
) -> None:
    assert cli("suppress", "add", "--db", db, option, value, "--justification", "known").status == 0
    (listed,) = cli("suppress", "list", "--db", db, "--format", "jsonl").objects
    assert (listed["scope"], listed["value"], listed["hidden"]) == (option[2:], value, hidden)


def test_suppression_of_one_rule(cli: Cli, db: Path) -> None:
    cli("suppress", "add", "--db", db, "--principal", ANA, "--rule", "another", "--ticket", "T")
    assert cli("suppress", "list", "--db", db, "--format", "jsonl").objects[0]["hidden"] == 0


def test_status_summarizes_state(cli: Cli, db: Path, tmp_path: Path) -> None:
    ran = cli("status", "--db", db)
    assert (ran.status, ran.err) == (0, "")
    for words in (
        str(db),
        "2 found = 2 read",
        "22 seen",
        "2026-03-01T10:05:00Z",
        "2 open",
        "notes          1",
    ):
        assert words in ran.out
    assert "none yet" in cli("status", "--db", tmp_path / "no.db").out
    assert not (tmp_path / "no.db").exists()


def test_compact_reports_freed_space(cli: Cli, db: Path, tmp_path: Path) -> None:
    ran = cli("compact", "--db", db)
    assert (ran.status, ran.err) == (0, "")
    assert "purged         0 hits" in ran.out
    assert "MB freed" in ran.out
    one_line(cli("compact", "--db", db, "--retention", "soon"), 2, "soon", "12h")
    one_line(cli("compact", "--db", tmp_path / "none"), 1, "no database yet")
    store = Store.open(db)
    store.take_ingest()
    one_line(cli("compact", "--db", db), 1, f"process {os.getpid()}", "close it there")
    store.close()


def test_doctor_finds_damage_and_saves_notes(
    cli: Cli, db: Path, logs: Path, tmp_path: Path
) -> None:
    assert "ok       soundness     OK" in cli("doctor", "--db", db).out
    one_line(
        cli("doctor", "--db", tmp_path / "none", "--save", tmp_path / "new"), 1, "no database yet"
    )
    damage_table(db, "alert")
    ran = cli("doctor", "--db", db)
    assert ran.status == 1
    assert "problem  soundness     damaged, " in ran.out
    assert "--save NEW" in ran.out
    one_line(cli("scan", logs, "--db", db, *ONLY_REFERENCE), 1, str(db), "damaged", "doctor --save")
    assert (
        "not a trailhound database: name another file with --db FILE"
        in cli("doctor", "--db", logs / "a.json").out
    )
    new = tmp_path / "new.db"
    saved = cli("doctor", "--db", db, "--save", new)
    assert (saved.status, "1 saved" in saved.out, f"--db {new}" in saved.err) == (0, True, True)
    assert cli("doctor", "--db", db, "--save", new).status == 1  # it is there now, and left alone
    assert len(cli("scan", logs, "--db", new, "--format", "jsonl", *ONLY_REFERENCE).objects) == 2
    assert len(cli("log", "export", "--db", new, "--format", "jsonl").objects) == 1


_PAGE = 4096
_SCHEMA_BYTES = (101, 102, 105, 106, 107, 108, 109, 110, 111, 112)


@pytest.mark.parametrize("place", ["cut", *_SCHEMA_BYTES])
def test_doctor_saves_notes_of_a_state_that_sqlite_refuses(
    cli: Cli, db: Path, tmp_path: Path, place: str | int
) -> None:
    """One page less, or a wrong byte in the page of the schema, and no table opens as usual."""
    content = bytearray(db.read_bytes())
    if isinstance(place, int):
        content[place] ^= 0x41
    else:
        del content[-_PAGE:]
    db.write_bytes(content)
    new = tmp_path / "new.db"
    saved = cli("doctor", "--db", db, "--save", new)
    notes = cli("log", "export", "--db", new, "--format", "jsonl").objects
    count = saved.out.split("note ", 1)[1].split()[0]
    assert (len(notes), "note_words     1 saved" in saved.out) == (int(count), int(count) == 1)
    is_whole = "could not be read" not in saved.out and "more was lost" not in saved.out
    assert saved.status == (0 if is_whole else 1)
    assert ("recovered: " in saved.err) == is_whole
    if place == "cut":
        assert len(notes) == 1


def test_doctor_says_that_nothing_could_be_saved(cli: Cli, db: Path, tmp_path: Path) -> None:
    db.write_bytes(db.read_bytes()[: 2 * _PAGE])
    saved = cli("doctor", "--db", db, "--save", tmp_path / "new.db")
    assert saved.status == 1 and "nothing readable in" in saved.err
    assert saved.out.count("more was lost") >= 8


def test_rules_check(cli: Cli, tmp_path: Path) -> None:
    (path,) = (rule.path for rule in rules())
    good = cli("rules", "check", path)
    assert (good.status, good.err) == (0, "")
    bad = write(tmp_path, "bad.toml", b"not toml [")
    ran = cli("rules", "check", path, bad)
    assert ran.status == 1
    assert str(bad) in ran.err


# whole processes


def trailhound(*args: object, **given: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *map(str, args)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        **given,
    )


def test_closed_pipe_is_no_error(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.json",
        [record for number in range(30) for record in sweep(10, 30 * number, userAgent="A" * 9000)],
    )
    options = f"--format jsonl {' '.join(ONLY_REFERENCE)}"
    command = f"{sys.executable} -m tui.commandline.main scan {tmp_path} {options} | head -c 10"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, b"Traceback" in ran.stderr, b"Error" in ran.stderr) == (0, False, False)


def test_process_exit_status(tmp_path: Path) -> None:
    write(tmp_path, "a.json", sweep(10))
    assert trailhound("scan", tmp_path, "--exit-code").returncode == 10
    assert trailhound("scan", tmp_path / "none").returncode == 1
    assert trailhound("scan").returncode == 2
    app = trailhound(tmp_path, stdin=subprocess.DEVNULL)
    assert (app.returncode, app.stdout, app.stderr.count(b"\n")) == (1, b"", 1)


def test_tail_ends_on_signal(tmp_path: Path) -> None:
    write(tmp_path / "live", "a.jsonl", lines(sweep(10)))
    command = [
        sys.executable,
        "-u",
        "-m",
        "tui",
        "tail",
        tmp_path / "live",
        "--db",
        tmp_path / "hunt.db",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], **pipes) as ran:
        assert ran.stdout and ran.stderr
        assert json.loads(ran.stdout.readline())["first_event"] == "2026-03-01T10:00:00Z"
        write(tmp_path / "live", "b.json.gz.part", document(sweep(10, 60))).rename(
            tmp_path / "live" / "b.json"
        )
        while json.loads(ran.stdout.readline())["first_event"] != "2026-03-01T10:01:00Z":
            pass
        ran.send_signal(signal.SIGTERM)
        assert ran.wait() == 0
        assert b"files 2 found = 2 read" in ran.stderr.read()


def test_signal_stops_a_thread_that_holds_the_events_lock() -> None:
    """As one may that waits, for an instant."""
    before, stop = signal.getsignal(signal.SIGTERM), threading.Event()
    stop_on_signals(stop, signal.SIGTERM)
    try:
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
        stop.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_suppression_needs_the_fields_that_the_configuration_requires(
    cli: Cli, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    write(tmp_path, "trailhound/config.toml", b'require = ["ticket", "owner", "reason"]')
    add = ("suppress", "add", "--account", "111122223333", "--db", db, "--ticket", "CHG-9")
    one_line(cli(*add), 2, "required by the configuration: --owner, --reason")
    assert cli(*add, "--owner", "dana", "--reason", "pentest").status == 0
    write(tmp_path, "trailhound/config.toml", b'require = ["tickt"]')
    one_line(cli(*add), 1, "require: no field 'tickt'")


def test_terminated_scan_says_what_is_kept(
    cli: Cli, logs: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    scan = ("scan", logs, *ONLY_REFERENCE)
    with monkeypatch.context() as patched:
        patched.setattr(
            "tui.commandline.commands.scan.narrate_update",
            lambda update: os.kill(os.getpid(), signal.SIGTERM),
        )
        one_line(cli(*scan), 1, "interrupted: nothing is kept: --db FILE")
        one_line(cli(*scan, "--db", db), 1, "interrupted: 2 files kept in", str(db), "run the same")
    assert signal.getsignal(signal.SIGTERM) is before
    assert cli(*scan, "--db", db, "--exit-code").status == 10
