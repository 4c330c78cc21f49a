"""Measurement of whole processes: time, memory, and output."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

HOME = Path(__file__).parent.parent
PYTHON = sys.executable
TRAILHOUND = (PYTHON, "-m", "tui")


@dataclass(frozen=True)
class Run:
    """One process from start to end.

    ``user`` and ``system`` are CPU seconds of the process and its children; ``main`` is the user
    and system time of the process alone. ``rss`` is the peak resident memory in bytes; with
    children, the sum of all their individual peaks.
    """

    seconds: float
    user: float
    system: float
    main: float
    rss: int
    output: tuple[str, ...]
    narration: str
    """The text written to standard error."""

    @property
    def cpu(self) -> float:
        return self.user + self.system


class Failed(RuntimeError):
    """A process failed; the message has its command, its status and its last line of output."""


def run(command: Sequence[str], home: Path) -> Run:
    """Run ``command`` with no configuration other than that below ``home``.

    Raises Failed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=HOME,
            env=environment(home),
            start_new_session=True,
        )
        peaks = _Peaks(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # interrupted: leave nothing running
            os.killpg(process.pid, signal.SIGKILL)
            raise
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        tree, main = peaks.stop()
        output, narration = _text(out), _text(err)
    if process.returncode:
        last = narration.strip().rpartition("\n")[2]
        raise Failed(f"{' '.join(command)[:200]}: status {process.returncode}: {last[:300]}")
    # wait4 gives the largest single process's exact peak, but starts from our own; samples cover
    # all processes, but miss the end.
    exact = (
        usage.ru_maxrss
        if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        else 0
    )
    return Run(
        seconds,
        usage.ru_utime,
        usage.ru_stime,
        main,
        max(exact * 1024, tree),
        tuple(output.splitlines()),
        narration,
    )


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def environment(home: Path) -> dict[str, str]:
    """Return our environment, without variables that slow Python down or personal configuration."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    }
    return variables | {
        "LC_ALL": "C.UTF-8",
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
    }


class _Peaks(threading.Thread):
    """A thread that samples the memory of a process tree.

    Adds up the peaks of the process and all its descendants.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._main = 0.0
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            for pid in _family(self._pid):
                self._peaks[pid] = max(self._peaks.get(pid, 0), peak(pid))
            self._main = max(self._main, own_cpu(self._pid))

    def stop(self) -> tuple[int, float]:
        """Return the bytes of all processes, and the CPU seconds of the first alone."""
        self._ended.set()
        self.join()
        return sum(self._peaks.values()), self._main


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(member for child in children for member in _family(int(child)))]


def family_cpu(pid: int) -> float:
    """Return the CPU seconds of a process and its descendants, including ended ones."""
    total = 0.0
    for member in _family(pid):
        try:
            stat = Path(f"/proc/{member}/stat").read_text()
        except OSError:
            continue
        total += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def own_cpu(pid: int) -> float:
    """Return a process's own CPU seconds; 0 if it has ended."""
    try:
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def resident() -> int:
    """Return the bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak(pid: int) -> int:
    """Return a process's peak memory in bytes; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0
    )


@dataclass(frozen=True)
class Measured:
    """Several runs of one command, in the order of the rounds."""

    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.runs)

    @property
    def user(self) -> float:
        return median(run.user for run in self.runs)

    @property
    def cpu(self) -> float:
        return median(run.cpu for run in self.runs)

    @property
    def rss(self) -> float:
        return median(run.rss for run in self.runs)

    def ratio(self, to: Measured) -> float:
        """Return the user CPU time relative to ``to``, as the median over rounds.

        Within a round, both ran under the same machine load.
        """
        return median(mine.user / its.user for mine, its in zip(self.runs, to.runs, strict=True))

    def time_ratio(self, to: Measured) -> float:
        """Return the elapsed time relative to ``to``, as the median over rounds."""
        return median(
            mine.seconds / its.seconds for mine, its in zip(self.runs, to.runs, strict=True)
        )


def measure(commands: Mapping[str, Sequence[str]], rounds: int, home: Path) -> dict[str, Measured]:
    """Run each command ``rounds`` times, alternating between commands.

    Each round starts with the next command, so that a temporary slowdown of the machine affects all
    commands alike. Raises Failed.
    """
    names = list(commands)
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            runs[name].append(run(commands[name], home))
    return {name: Measured(tuple(its)) for name, its in runs.items()}


def apart(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call ``function`` in a separate process.

    This process thereby stays small, below the peaks that it has to report.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()
