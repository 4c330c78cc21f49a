"""A pool of processes, each with a pipe of its own.

If a process dies, only the jobs that it held are lost. The pool needs no thread in the main
process: waiting for a job receives the results of all processes. So a single-threaded program stays
single-threaded, and can fork processes that inherit everything it has imported and compiled.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Collection
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar, cast

from detector.ingest.pickle_stream import StreamPickler, StreamUnpickler

_GIVEN = 6
"""How many jobs a process holds: as many as it completes while the main process commits."""
_FREE_FILES = 16
"""File descriptors that must be free to start a process: its pipes, and what it reads."""
_A = TypeVar("_A")
_R = TypeVar("_R")


class NoProcess(Exception):
    """No process can be started; the message says why, and what to do."""


class _NoThreads(Exception):
    """A process has started, but cannot start threads."""


class RemoteCall(Generic[_R]):
    """A call that another process makes.

    ``is_done`` is also set if the process died before it completed the call (``has_died``)."""

    def __init__(
        self, pool: ProcessPool, call: tuple[Callable[..., _R], object], place: int | None
    ) -> None:
        self._pool = pool
        self.call = call
        self.place = place
        self.is_done = self.has_died = False
        self._result: object = None
        self._error: Exception | None = None

    def finish(self, result: object, error: Exception | None) -> None:
        """Store what the call has returned or raised."""
        self._result, self._error, self.is_done = result, error, True

    def fail(self) -> None:
        """Record that the call's process has died, or that no process will make the call."""
        self.has_died = self.is_done = True

    def wait(self) -> RemoteCall[_R]:
        """Wait until the call is done, and return it."""
        self._pool.wait([self])
        return self

    def result(self) -> _R:
        """Return what the call has returned. Raises what it has raised."""
        if self._error is not None:
            raise self._error
        return cast(_R, self._result)


class ProcessPool:
    """Up to ``size`` processes, each of which first calls ``start`` with ``arguments``.

    Processes are started on demand, and dead ones are replaced. If the system refuses more
    processes, the pool works with those that it has."""

    def __init__(
        self, size: int, start: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        self._size = size
        self._start = start
        self._arguments = arguments
        self._members: list[_Member] = []
        self._queued: deque[RemoteCall[Any]] = deque()

    def submit(
        self, work: Callable[[_A], _R], argument: _A, place: int | None = None
    ) -> RemoteCall[_R]:
        """Have a process call ``work``: the one at ``place``, unless another process is idle.

        Raises NoProcess."""
        job: RemoteCall[_R] = RemoteCall(self, (work, argument), place)
        self._queued.append(job)
        self._hand_out()
        return job

    def wait(self, jobs: Collection[RemoteCall[Any]]) -> None:
        """Wait until at least one of the jobs is done. Raises NoProcess."""
        while not any(job.is_done for job in jobs):
            self._receive()

    def close(self) -> None:
        """Kill all processes, even busy ones; all submitted jobs fail."""
        for member in self._members:
            member.end()
        self._members.clear()
        for job in self._queued:
            job.fail()
        self._queued.clear()

    def _hand_out(self) -> None:
        idle = sum(not member.jobs for member in self._members)
        while len(self._queued) > idle and len(self._members) < self._size:
            self._start_member()
            idle += 1
        for given in range(_GIVEN):
            for member in self._members:
                job = self._next_job(member) if len(member.jobs) == given else None
                if job is not None:
                    self._queued.remove(job)
                    member.give(job)

    def _next_job(self, member: _Member) -> RemoteCall[Any] | None:
        """Return the oldest queued job for a process; if it is idle, even one of another place."""
        own = (job for job in self._queued if job.place in (None, member.place))
        return next(own, self._queued[0] if self._queued and not member.jobs else None)

    def _start_member(self) -> None:
        """Start one more process; if that fails, use those there are. Raises NoProcess."""
        taken = {member.place for member in self._members}
        place = min(set(range(self._size)) - taken)
        try:
            self._members.append(_Member(place, self._start, self._arguments))
        except OSError as error:
            self._do_with_less(error.strerror)

    def _do_with_less(self, reason: str | None) -> None:
        """Limit the pool to its current processes. Raises NoProcess if there are none."""
        if not self._members:
            line = f"cannot start a reader: {reason}: raise the limit, or use --jobs 1"
            raise NoProcess(line) from None
        self._size = len(self._members)

    def _receive(self) -> None:
        """Wait for at least one process to send a result or to die, and handle that."""
        by_pipe = {member.pipe: member for member in self._members}
        for pipe in wait(list(by_pipe)):
            member = by_pipe[cast("Connection[Any, Any]", pipe)]
            try:
                lives = member.receive()
            except _NoThreads:
                self._members.remove(member)
                self._queued.extendleft(reversed(member.give_back()))
                self._do_with_less("no more threads (ulimit -u)")
                continue
            if not lives:
                self._members.remove(member)
        self._hand_out()


class _Member:
    """A process, and the jobs that it holds."""

    def __init__(
        self, place: int, start: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        _require_free_files()
        self.place = place
        is_forked = _may_fork()
        context: Any = multiprocessing.get_context("fork" if is_forked else "spawn")
        self.pipe, others = context.Pipe()
        self._results = StreamUnpickler()
        self.jobs: deque[RemoteCall[Any]] = deque()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(others, is_forked, start, arguments), daemon=True
        )
        if not is_forked:
            _start_tracker()
        self._process.start()
        others.close()

    def give(self, job: RemoteCall[Any]) -> None:
        self.jobs.append(job)
        with contextlib.suppress(OSError):  # the process has died, which ``receive`` will detect
            self.pipe.send_bytes(ForkingPickler.dumps(job.call))

    def receive(self) -> bool:
        """Receive one result; return whether the process is alive. Raises _NoThreads."""
        try:
            answer = self._results.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            self.end()
            return False
        if answer is None:
            raise _NoThreads
        self.jobs.popleft().finish(*answer)
        return True

    def give_back(self) -> list[RemoteCall[Any]]:
        """Kill the process, and return its jobs, none of which it has begun."""
        jobs = list(self.jobs)
        self.jobs.clear()
        self.end()
        return jobs

    def end(self) -> None:
        """Kill the process, which is safe because it holds no state of its own; fail its jobs."""
        self._process.kill()
        self._process.join()
        self.pipe.close()
        for job in self.jobs:
            job.fail()
        self.jobs.clear()


def _require_free_files() -> None:
    """Raise OSError if a new process would lack file descriptors for what it reads."""
    with contextlib.ExitStack() as opened:
        for _ in range(_FREE_FILES):
            opened.enter_context(open(os.devnull, "rb"))


def _start_tracker() -> None:
    """Start multiprocessing's resource tracker with the real standard error.

    The tracker inherits standard error by file number, and Textual's replacement has number -1."""
    with contextlib.redirect_stderr(sys.__stderr__):
        resource_tracker.ensure_running()


def _may_fork() -> bool:
    """Tell whether this process has a single thread, including threads of libraries.

    Locks held by other threads would stay locked in a fork. On macOS, system libraries start
    threads of their own."""
    try:
        return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False  # a sandbox without /proc


# In the other processes


def _serve(
    pipe: Connection[Any, Any],
    is_forked: bool,
    start: Callable[..., object],
    arguments: tuple[object, ...],
) -> None:
    """Make the calls that arrive through ``pipe``, until its other end is closed.

    Two threads receive and send, so that neither side blocks until the other has received: the main
    process may be busy writing to the state. If the system allows no more threads, the answer is
    None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process handles the interrupt
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if is_forked:
        _let_go_of_all_but(pipe)
    start(*arguments)
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    results: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    stream = StreamPickler()
    try:
        threading.Thread(target=_send_results, args=(pipe, results), daemon=True).start()
        threading.Thread(target=_receive_calls, args=(pipe, calls), daemon=True).start()
    except RuntimeError:
        pipe.send_bytes(stream.dumps(None))
        return
    while True:
        results.put(_answer(calls.get(), stream))


def _let_go_of_all_but(pipe: Connection[Any, Any]) -> None:
    """Close the files that a fork inherits from the main process, above all the lock of the state.

    Their descriptors are redirected to /dev/null instead of being freed, since inherited objects
    still refer to them."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    kept = {0, 1, 2, nothing, pipe.fileno()}
    for number in {int(name) for name in os.listdir("/proc/self/fd")} - kept:
        with contextlib.suppress(OSError):  # the descriptor that listed the folder is closed
            os.fstat(number)
            os.dup2(nothing, number, inheritable=False)


def _answer(call: bytes, stream: StreamPickler) -> bytes:
    try:
        work, argument = ForkingPickler.loads(call)
        return stream.dumps((work(argument), None))
    except Exception as error:
        return stream.dumps((None, _portable(error)))


def _portable(error: Exception) -> Exception:
    """Return an error with its traceback as a note; a RuntimeError if it cannot be pickled."""
    text = f"In another process: {traceback.format_exc()}"
    error.add_note(text)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:
        return RuntimeError(text)
    return error


def _receive_calls(pipe: Connection[Any, Any], calls: queue.SimpleQueue[bytes]) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            calls.put(pipe.recv_bytes())
    os._exit(0)  # the main process has ended, or has closed the pipe


def _send_results(pipe: Connection[Any, Any], results: queue.SimpleQueue[bytes]) -> None:
    with contextlib.suppress(OSError):
        while True:
            pipe.send_bytes(results.get())
    os._exit(0)
