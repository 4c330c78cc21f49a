"""The service manager and the heartbeat of a live run."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from detector.delivery.service_manager import Heartbeat, ServiceManager
from tests.clock import Clock
from tests.detector.trail import START


def test_service_manager_is_told_of_each_beat(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        manager = ServiceManager({"NOTIFY_SOCKET": str(path)})
        heartbeat = Heartbeat(manager)
        heartbeat.beat()
        heartbeat.beat()
        manager.send("STOPPING=1")
        received = [server.recv(1000).decode() for _ in range(4)]
    assert received == ["READY=1\nSTATUS=watching", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_without_a_service_manager_nothing_happens(tmp_path: Path) -> None:
    Heartbeat(ServiceManager({})).beat()
    Heartbeat(ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "none")})).beat()


def test_heartbeat_file_is_replaced_at_most_every_ten_seconds(tmp_path: Path) -> None:
    clock, file, reads = Clock(START), tmp_path / "alive.json", iter(range(10))
    heartbeat = Heartbeat(ServiceManager({}), file, lambda: {"reads": next(reads)}, clock)
    seen = []
    for _ in range(4):
        heartbeat.beat()
        seen.append(json.loads(file.read_text())["reads"])
        clock.now += 5
    assert seen == [0, 0, 1, 1]
    assert json.loads(file.read_text())["time"] == "2026-03-01T10:00:10Z"
    assert file.stat().st_mode & 0o777 == 0o600
