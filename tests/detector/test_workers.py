"""Other processes find what this one finds, also where one of them dies on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.formats import Chunk, containers
from detector.partial import Partial, merge
from detector.reading import Digested, Task, digesting, read
from detector.rules.dispatch import Dispatch
from detector.sources.directory import Directory
from detector.workers import Workers
from tests.detector.trail import call, lines, rules, sweep


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A file of lines that is cut into some ten chunks."""
    for size in ("BLOCK", "SNIFF", "LINES_CHUNK"):
        monkeypatch.setattr(containers, size, 8_000)
    records = [*sweep(10), *(call(60 + at, event_id=f"more-{at}") for at in range(120)), *sweep(12, 300)]
    (tmp_path / "trail.jsonl").write_bytes(lines(records))
    (found,) = Directory([tmp_path]).sweep()
    return Task(found, None, 0, final=True)


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(rules(), 2)
    yield made
    made.close()


def whole(task: Task, workers: Workers | None) -> tuple[list[int], Partial]:
    """Where reading could go on after each result, and all that was found."""
    here = digesting(Dispatch(rules()))
    results = list(read(task, workers.digesting(here) if workers else here))
    return [result.file.resume for result in results], merge(result.partial for result in results)


def test_lines_are_spread_in_order(task: Task, workers: Workers) -> None:
    alone = whole(task, None)

    assert whole(task, workers) == alone
    assert len(alone[0]) > 8


def test_a_process_that_dies_costs_nothing(task: Task, workers: Workers) -> None:
    here = digesting(Dispatch(rules()))

    def killing(source: str, them: Iterator[Chunk]) -> Iterator[Digested]:
        for number, digested in enumerate(workers.digesting(here)(source, them)):
            if number == 3:
                for process in multiprocessing.active_children():
                    assert process.pid is not None
                    os.kill(process.pid, signal.SIGKILL)
            yield digested

    results = list(read(task, killing))  # type: ignore[arg-type]
    assert merge(result.partial for result in results) == whole(task, None)[1]
    assert [result.file.state for result in results] == ["waiting"] * (len(results) - 1) + ["read"]
