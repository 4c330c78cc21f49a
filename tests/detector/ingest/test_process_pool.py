"""The pool of processes: what it returns, what a death costs, and what a fork lets go of."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing import resource_tracker
from pathlib import Path
from types import SimpleNamespace

import pytest

from detector.formats import Incomplete
from detector.ingest import process_pool
from detector.ingest.process_pool import NoProcess, ProcessPool


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    made = ProcessPool(2, keep, ("started",))
    yield made
    made.close()


_kept: list[str] = []


def keep(text: str) -> None:
    _kept.append(text)


def doubled(number: int) -> tuple[int, list[str]]:
    if number < 0:
        raise ValueError(number)
    return 2 * number, _kept


class NeedsTwo(Exception):
    """An error that pickle cannot make again."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}, {detail}")


def refused(detail: str) -> None:
    raise NeedsTwo("refused", detail)


def too_short(detail: str) -> None:
    raise Incomplete("truncated", detail)


def killed(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def held(fifo: str) -> None:
    """Wait for what nobody will write."""
    Path(fifo).read_bytes()


def file_of(descriptor: int) -> str:
    return os.path.realpath(f"/proc/self/fd/{descriptor}")


def test_calls_return_and_raise_as_here(pool: ProcessPool) -> None:
    jobs = [pool.submit(doubled, number) for number in range(20)]
    wrong = pool.submit(doubled, -1).wait()

    assert [job.wait().result() for job in jobs] == [(2 * n, ["started"]) for n in range(20)]
    with pytest.raises(ValueError, match="-1") as raised:
        wrong.result()
    assert "in doubled" in raised.value.__notes__[0]


def test_error_that_has_no_pickle_is_told_with_its_traceback(pool: ProcessPool) -> None:
    with pytest.raises(RuntimeError, match=r"in refused(?s:.*)NeedsTwo: refused, all of it"):
        pool.submit(refused, "all of it").wait().result()
    assert pool.submit(doubled, 1).wait().result()[0] == 2


def test_reading_fails_for_the_same_reason_in_another_process(pool: ProcessPool) -> None:
    with pytest.raises(Incomplete, match="ends early") as raised:
        pool.submit(too_short, "ends early").wait().result()
    assert raised.value.reason == ("truncated", "ends early")
    assert "in too_short" in raised.value.__notes__[0]


def test_death_costs_only_what_the_process_was_given(pool: ProcessPool) -> None:
    pool.submit(doubled, 0).wait()
    last = pool.submit(killed, None)
    jobs = [pool.submit(doubled, number) for number in range(20)]

    assert last.wait().has_died
    failed = [job for job in jobs if job.wait().has_died]
    assert len(failed) < process_pool._GIVEN
    assert pool.submit(doubled, 3).wait().result()[0] == 6


def process_id(fifo: str) -> int:
    Path(fifo).read_bytes()
    return os.getpid()


def test_job_goes_to_the_process_at_its_place(pool: ProcessPool, tmp_path: Path) -> None:
    """A process is idle too short here to take what is of another."""
    fifos = [str(tmp_path / f"{place}") for place in (0, 1)]
    for fifo in fifos:
        os.mkfifo(fifo)
    held_up = [pool.submit(process_id, fifo, place) for place, fifo in enumerate(fifos)]
    later = [pool.submit(process_id, os.devnull, place) for place in (1, 0)]
    for fifo in fifos:
        Path(fifo).write_bytes(b"")

    first, second = (job.wait().result() for job in held_up)
    assert [job.wait().result() for job in later] == [second, first]


def test_idle_process_does_what_is_of_another(pool: ProcessPool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    held_up = pool.submit(process_id, str(tmp_path / "fifo"), 0)
    behind = process_pool._GIVEN - 1
    jobs = [pool.submit(process_id, os.devnull, 0) for _ in range(behind + 7)]

    while sum(job.is_done for job in jobs) < 7:  # the others wait behind the first
        pool.wait([job for job in jobs if not job.is_done])
    others = {job.result() for job in jobs if job.is_done}
    (tmp_path / "fifo").write_bytes(b"")

    assert others.isdisjoint({held_up.wait().result()})


def test_closing_leaves_nothing_to_wait_for(pool: ProcessPool) -> None:
    jobs = [pool.submit(held, os.devnull) for _ in range(6)]
    pool.close()
    assert all(job.is_done for job in jobs)


@pytest.fixture
def allow_files() -> Iterator[Callable[[int], None]]:
    """A limit on how many more files may be opened."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def allow(more: int) -> None:
        lowest_free = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + more, limits[1]))

    yield allow
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_goes_on_with_the_processes_that_the_system_allows(
    pool: ProcessPool, allow_files: Callable[[int], None]
) -> None:
    pool.submit(doubled, 0).wait()
    allow_files(5)

    jobs = [pool.submit(doubled, number) for number in range(1, 6)]

    assert [job.wait().result()[0] for job in jobs] == [2, 4, 6, 8, 10]
    assert len(pool._members) == 1


def test_says_what_to_do_where_no_process_can_start(
    pool: ProcessPool, allow_files: Callable[[int], None]
) -> None:
    allow_files(5)

    with pytest.raises(NoProcess, match=r"^cannot start .*: Too many open files: .*--jobs 1$"):
        pool.submit(doubled, 1)


def start_threadless(folder: str) -> None:
    """Start a process without threads, unless another one was started in ``folder`` before."""
    try:
        Path(folder, "started").touch(exist_ok=False)
    except FileExistsError:
        return

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refuse  # type: ignore[method-assign]


def test_goes_on_with_the_processes_that_may_start_threads(tmp_path: Path) -> None:
    """As many processes may run as the system allows: threads count as some."""
    with closing(ProcessPool(2, start_threadless, (str(tmp_path),))) as pool:
        jobs = [pool.submit(doubled, number) for number in range(6)]

        assert [job.wait().result()[0] for job in jobs] == [0, 2, 4, 6, 8, 10]
        assert not any(job.has_died for job in jobs)
        assert len(pool._members) == 1


def test_says_what_to_do_where_no_thread_can_start(tmp_path: Path) -> None:
    with (
        closing(ProcessPool(1, start_threadless, (str(tmp_path),))) as pool,
        pytest.raises(NoProcess, match=r"^cannot start .*: no more threads .*--jobs 1$"),
    ):
        pool.submit(doubled, 1).wait()


def test_processes_start_where_standard_error_has_no_file(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the app, whose threads forbid to fork, and whose standard error Textual takes."""
    monkeypatch.setattr(process_pool, "_may_fork", lambda: False)
    monkeypatch.setattr(resource_tracker._resource_tracker, "_fd", None)
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(fileno=lambda: -1, flush=lambda: None))

    assert pool.submit(doubled, 1).wait().result() == (2, ["started"])


def test_no_process_has_the_files_of_the_main_one(pool: ProcessPool, tmp_path: Path) -> None:
    """The lock of a state is free once the main process is gone, whatever its processes do."""
    with open(tmp_path / "lock", "w") as lock:
        found = pool.submit(file_of, lock.fileno()).wait().result()

    assert found != str(tmp_path / "lock")


def test_busy_process_ends_when_the_main_one_does(pool: ProcessPool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    pool.submit(held, str(tmp_path / "fifo"))
    (member,) = pool._members

    member.pipe.close()

    member._process.join()
    pool._members.clear()
