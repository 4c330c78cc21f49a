"""The doctor: a line for each check, with advice, and its status."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from platformdirs import user_config_path

from detector.store import Store
from tests.commandline.cli import Cli, Ran
from tui.commandline.doctor import installation, state, terminal
from tui.terminal.encoding import doubtful_locale, locale_warning


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "hunt.db"
    Store.open(path).close()
    return path


@pytest.fixture(autouse=True)
def well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "cat -u")
    monkeypatch.delenv("VISUAL", raising=False)


def lines(ran: Ran, name: str) -> list[str]:
    """What is said of ``name``, each with its verdict."""
    checks = [line.split(maxsplit=2) for line in ran.out.splitlines()]
    return [f"{status} {finding}" for status, check, finding in checks if check == name]


def configured(text: str) -> Path:
    path = user_config_path("trailhound") / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_doctor_reports_ok(cli: Cli, db: Path) -> None:
    ran = cli("doctor", "--db", db, db.parent)
    assert (ran.status, ran.err) == (0, "")
    assert "problem" not in ran.out
    assert lines(ran, "soundness")[0].startswith("ok OK, version ")
    assert lines(ran, "state") == [f"ok {db}, {db.stat().st_size / 1e6:,.1f} MB"]
    assert lines(ran, "source") == [f"ok {db.parent}"]
    assert lines(ran, "editor") == ["ok cat -u"]
    assert lines(ran, "colours") == ["ok 16 million"]
    assert "none yet" in lines(cli("doctor", "--db", db.parent / "no.db"), "state")[0]


def test_doctor_reports_state_problems(cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db.chmod(0o644)
    db.with_name("hunt.db.session").write_text("{")
    ran = cli("doctor", "--db", db)
    assert ran.status == 1
    assert lines(ran, "state")[0].endswith(f"others can read it: chmod 600 {db}")
    assert lines(ran, "session")[0].startswith("warning hunt.db.session cannot be read")
    assert ran.err.startswith("1 problem, ")
    monkeypatch.setattr(state, "_MIN_FREE", 10**18)
    assert "problem" in lines(cli("doctor", "--db", db), "disk")[0]
    monkeypatch.setattr(state, "file_system", lambda path: "nfs4")
    assert (
        "is on nfs4, a network: the database needs a local disk"
        in lines(cli("doctor", "--db", db), "disk")[0]
    )


def test_file_system_is_that_of_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw\n"
        "31 30 0:41 / /home/ana/my\\040disk rw - xfs /dev/sdb rw\n"
    )
    assert state.file_system(Path("/var/hunt.db"), mounts) == "ext4"
    assert state.file_system(Path("/home/ana/hunt.db"), mounts) == "nfs4"
    assert state.file_system(Path("/home/ana/my disk/hunt.db"), mounts) == "xfs"
    assert state.file_system(Path("/homes/hunt.db"), mounts) == "ext4"
    assert state.file_system(Path("/x"), tmp_path / "none") == ""


def test_doctor_reports_configuration_problems(cli: Cli, db: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("not toml [")
    path = configured(
        f'asn_db = "{tmp_path}/none.mmdb"\nrules = ["{bad}", "{tmp_path}/none"]\n'
        f'sources = ["{tmp_path}/gone"]\ndb = "{db}"\n'
    )
    try:
        ran = cli("doctor")
        assert ran.status == 1
        rules = lines(ran, "rules")
        assert f"problem {tmp_path}/none: no such file or folder: correct rules in {path}" in rules
        assert any(line.startswith("warning ") and str(bad) in line for line in rules)
        assert lines(ran, "networks")[0].startswith("problem ")
        assert lines(ran, "source") == [
            f"problem {tmp_path}/gone: no such file or folder: check the name"
        ]
        assert lines(ran, "soundness")[0].startswith("ok "), "the state that is configured"
        path.write_text("nonsense = 1")
        ran = cli("doctor", "--db", db)
        assert ran.status == 1
        assert "nonsense" in lines(ran, "configuration")[0]
    finally:
        path.unlink()


def test_doctor_reports_unreadable_sources(
    cli: Cli, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "_is_installed", lambda module: module != "boto3")
    ran = cli(
        "doctor",
        "--db",
        db,
        tmp_path / "none",
        "s3://bucket",
        "sqs://queue",
        tmp_path / "*.none",
        "file@/no/such",
        tmp_path / "x\x1b]0;",
    )
    assert len(lines(ran, "source")) == 1
    assert lines(ran, "source")[0].startswith(
        "problem file@/no/such: No such file or directory: name a file "
    )
    ran = cli(
        "doctor",
        "--db",
        db,
        tmp_path / "none",
        "s3://bucket",
        "sqs://queue",
        tmp_path / "*.none",
        tmp_path / "x\x1b]0;",
    )
    assert [line.split()[0] for line in lines(ran, "source")] == [
        "problem",
        "ok",
        "problem",
        "warning",
        "problem",
    ]
    assert "pip install obstore boto3" in ran.out
    assert "\x1b" not in ran.out
    assert "pip install obstore boto3 adds aws" in lines(ran, "extras")[0]


def test_doctor_reports_terminal_problems(
    cli: Cli, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("EDITOR", "no-such-editor")
    monkeypatch.setenv("TERM", "vt100")
    monkeypatch.delenv("COLORTERM")
    monkeypatch.setenv("TMUX", "x")
    ran = cli("doctor", "--db", db)
    assert ran.status == 1
    assert lines(ran, "size")[0].startswith("warning 60 columns")
    assert lines(ran, "editor") == [
        "problem no-such-editor cannot be found: set EDITOR to a program that is installed"
    ]
    assert lines(ran, "colours")[0].startswith("warning 16")
    assert "vt100 in tmux" in lines(ran, "terminal")[0]
    monkeypatch.setenv("NO_COLOR", "")
    assert lines(cli("doctor", "--db", db), "colours") == ["ok none, as NO_COLOR asks"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\x1b[?1u\x1b[?62;4c", "told apart by the kitty protocol"),
        (b"\x1b[?62;4c", "plain;"),
        (b"", "no answer from the terminal"),
    ],
)
def test_doctor_asks_terminal_for_keys(
    answer: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal of its own, which answers as real ones do."""
    ours, theirs = pty.openpty()
    asked: list[bytes] = []

    def respond() -> None:
        asked.append(os.read(ours, 100))
        os.write(ours, answer)

    answering = threading.Thread(target=respond, daemon=True)
    answering.start()
    if answer:  # as long as it takes, where an answer comes
        monkeypatch.setattr(terminal, "_ANSWER_SECONDS", 60.0)
    try:
        with os.fdopen(os.dup(theirs), "r") as into, os.fdopen(os.dup(theirs), "w") as out:
            monkeypatch.setattr("sys.stdin", into)
            monkeypatch.setattr("sys.stdout", out)
            check = terminal._keys()
    finally:
        answering.join(10)
        os.close(ours)
        os.close(theirs)
    assert asked == [b"\x1b[?u\x1b[c"]
    assert said in check.finding
    assert check.status == ("ok" if answer else "warning")


@pytest.mark.parametrize(
    ("environ", "setting"),
    [
        ({}, ""),
        ({"LANG": "de_DE.UTF-8"}, ""),
        ({"LANG": "C.utf8"}, ""),
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, ""),
        ({"LANG": "C"}, "LANG=C"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "LANG=C"),  # as Python sets it
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE@euro"}, "LC_ALL=de_DE@euro"),
        ({"LANG": "ja_JP.eucJP"}, "LANG=ja_JP.eucJP"),
    ],
)
def test_locale_that_promises_no_utf8_is_named(environ: dict[str, str], setting: str) -> None:
    assert doubtful_locale(environ) == setting
    assert setting in locale_warning(environ)


def test_app_refuses_a_terminal_of_another_encoding() -> None:
    """It would draw escapes in place of lines."""
    ours, theirs = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-m", "tui", "demo"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "TERM": "xterm"},
        cwd=Path(__file__).parents[2],
    )
    os.close(theirs)
    said = os.read(ours, 4096)
    os.close(ours)
    assert ran.returncode == 1
    assert b"needs UTF-8, not" in said and b"export LC_ALL=C.UTF-8" in said
