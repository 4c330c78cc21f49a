"""``watch``: what is looked for in whatever is read from now on."""

from __future__ import annotations

import io
import signal
from pathlib import Path

import pytest

from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import ANA, Stepping, call, write


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write(tmp_path / "logs", "a.json", [call(0), call(1, errorCode="AccessDenied")])
    return tmp_path / "logs"


def test_watch_says_what_is_read_later(
    cli: Cli, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = ("--db", tmp_path / "hunt.db")
    added = cli("watch", "add", ANA, "--label", "CHG-9", *db)
    assert added.err == (
        "watching for 1 indicator; events --indicators searches what was read before\n"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ANA}\n198.51.100.9\nab\n"))
    again = cli("watch", "add", "--file", "-", *db)
    assert "not watched for: ab" in again.err
    assert "watching for 1 indicator; 1 watched for already" in again.err
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(
        "tui.commandline.commands.tail.open_named_sources", lambda *_, **__: Stepping([logs], ())
    )
    tailed = cli("tail", logs, *db, *ONLY_REFERENCE, "--quiet")
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert tailed.err == (
        "seen: user/ana (CHG-9): 2 new events, last 2026-03-01T10:00:01Z user/ana "
        "DescribeInstances AccessDenied us-east-1 from 203.0.113.7\n"
    )
    listed = cli("watch", "list", "--format", "jsonl", *db)
    assert [(row["indicator"], row["state"], row["new"]) for row in listed.objects] == [
        (ANA, "seen", 2),
        ("198.51.100.9", "waiting", 0),
    ]
    assert listed.err == "2 watches, 2 active\n"
    ana, address = (row["watch_id"] for row in listed.objects)
    assert cli("watch", "ack", ana, *db).status == 0
    assert cli("watch", "lift", address, *db).status == 0
    table = cli("watch", "list", *db).out.splitlines()
    assert [line.split()[1] for line in table] == ["STATE", "waiting", "lifted"]
    csv = cli("watch", "list", "--format", "csv", *db).out.splitlines()
    assert csv[0].startswith("watch_id,state,kind,indicator,label,sightings,new,first,last,")


def test_what_cannot_be_watched_for_is_one_line(cli: Cli, tmp_path: Path) -> None:
    db = ("--db", tmp_path / "hunt.db")
    one_line(cli("watch", "list", *db), 1, "no database yet")
    one_line(cli("watch", "add", *db), 2, "name an address, network, key, ARN or id")
    one_line(cli("watch", "add", "--file", tmp_path / "none", *db), 1, "No such file")
    cli("watch", "add", ANA, *db)
    one_line(cli("watch", "lift", "abcd", *db), 1, "no watch abcd", "watch list")
