"""The prefetching of objects, so that reading does not wait for the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from detector.ingest.reader import FetchedTask, Task
from detector.sources.open_file import open_file
from detector.sources.source import Unavailable

if TYPE_CHECKING:
    from concurrent.futures import Future

_THREADS = 32
_AHEAD_BYTES = 256 << 20
"""The most bytes of objects fetched ahead; a single object may be larger."""


def fetch_ahead(tasks: Iterable[Task]) -> Iterator[FetchedTask]:
    """Fetch the objects of tasks ahead of their use, and yield them in order."""
    # Imported here, because most scans fetch nothing and the import takes 10 ms.
    from concurrent.futures import ThreadPoolExecutor

    waiting = iter(tasks)
    ahead: deque[tuple[Task, Future[FetchedTask]]] = deque()
    ahead_bytes = 0
    pool = ThreadPoolExecutor(_THREADS, "fetch")
    try:
        task = next(waiting, None)
        while task is not None or ahead:
            while task is not None and (
                not ahead or (len(ahead) < 4 * _THREADS and ahead_bytes < _AHEAD_BYTES)
            ):
                ahead.append((task, pool.submit(_fetch, task)))
                ahead_bytes += task.file.size
                task = next(waiting, None)
            first, future = ahead.popleft()
            ahead_bytes -= first.file.size
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _fetch(task: Task) -> FetchedTask:
    try:
        with open_file(task.file.path) as file:
            return FetchedTask(task, file.read())
    except Unavailable as error:
        return FetchedTask(task, error)
