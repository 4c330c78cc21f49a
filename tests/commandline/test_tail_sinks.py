"""Alerts of ``tail`` that go to webhooks, syslog and commands, on this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commandline.cli import ONLY_REFERENCE, Cli, Ran, one_line
from tests.detector.delivery.servers import Receiver
from tests.detector.trail import ANA, Stepping, sweep, write


@pytest.fixture
def tail(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """Look through the folder once, as a live run does, and end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(
        "tui.commandline.commands.tail.open_named_sources",
        lambda names, **_: Stepping([Path(name) for name in names], ()),
    )
    write(tmp_path / "logs", "a.json", sweep(10))

    def run(*args: object) -> Ran:
        logs = tmp_path / "logs"
        return cli("tail", logs, "--db", tmp_path / "hunt.db", *ONLY_REFERENCE, *args)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


def test_alert_goes_to_every_sink_once(tail: Cli, receiver: Receiver, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    url = tmp_path / "url"
    url.write_text(f"http://127.0.0.1:{receiver.port}/token\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        sinks = (
            *("--webhook", f"slack=@{url}", "--on-alert", f"cat >> {out}"),
            *("--syslog", f"udp://127.0.0.1:{server.getsockname()[1]}"),
        )
        first, again = tail(*sinks), tail(*sinks)
        assert b"trailhound" in server.recv(65_536)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.recv(1)
    assert (first.status, again.status) == (0, 0)
    (alert,) = first.objects
    assert json.loads(out.read_text())["alert_id"] == alert["alert_id"]
    (posted,) = receiver.posted
    assert json.loads(posted.body)["blocks"][0]["type"] == "header"
    assert "token" not in first.err + again.err


def test_notices_wait_until_the_sink_is_back(tail: Cli, receiver: Receiver, tmp_path: Path) -> None:
    receiver.statuses = [503]
    hook = ("--webhook", f"http://127.0.0.1:{receiver.port}/secret")
    failed = tail(*hook)
    assert f"webhook http://127.0.0.1:{receiver.port}/…: HTTP 503: sent again later" in failed.err
    assert "not sent yet, kept for the next run: 1 notice" in failed.err
    assert "secret" not in failed.err
    assert len(receiver.posted) == 1
    assert tail(*hook).status == 0
    assert len(receiver.posted) == 2
    assert not list((tmp_path / "hunt.db.outbox").glob("0*.json"))


def test_only_what_is_wanted_is_sent(tail: Cli, receiver: Receiver) -> None:
    hook = ("--webhook", f"http://127.0.0.1:{receiver.port}/")
    assert len(tail(*hook, "--notify", "severity>=critical").objects) == 1
    assert tail(*hook, "--since", "now").out == ""
    assert receiver.posted == []


def test_heartbeat_and_service_manager(
    tail: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        assert tail("--heartbeat", tmp_path / "alive.json").status == 0
        received = [server.recv(1000) for _ in range(3)]
    assert received == [b"READY=1\nSTATUS=watching", b"WATCHDOG=1", b"STOPPING=1"]
    alive = json.loads((tmp_path / "alive.json").read_text())
    assert (alive["files_read"], alive["newest_event"]) == (1, "2026-03-01T10:00:00Z")
    assert alive["pid"] == os.getpid()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--webhook", "ftp://user:pw@host/"], ["http or https"]),
        (["--webhook", "@/none/url"], ["--webhook", "/none/url"]),
        (["--webhook-secret", "/none/secret", "--webhook", "http://h/"], ["--webhook-secret"]),
        (["--syslog", "host:514"], ["syslog"]),
        (["--on-alert", " "], ["command is empty"]),
        (["--notify", "severity>"], ["--notify"]),
        (["--since", "soon"], ["--since"]),
    ],
)
def test_wrong_sink_is_one_line(args: list[str], words: list[str], tail: Cli) -> None:
    ran = tail(*args)
    one_line(ran, 2, *words)
    assert "pw" not in ran.err


def test_what_a_watch_sees_is_sent(cli: Cli, tail: Cli, receiver: Receiver, tmp_path: Path) -> None:
    cli("watch", "add", ANA, "--db", tmp_path / "hunt.db")
    hook = f"http://127.0.0.1:{receiver.port}/"
    ran = tail("--webhook", hook, "--notify", "severity>=critical")
    assert ran.status == 0
    [posted] = receiver.posted
    assert json.loads(posted.body)["watch"]["sightings"] == 10
