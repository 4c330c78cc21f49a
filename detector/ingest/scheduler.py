"""The scheduler, which chooses the discovered files that are due to be read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set

from detector.cloudtrail.object_key import DIGEST, trail_file
from detector.ingest.known_files import KnownFiles
from detector.ingest.reader import Task
from detector.sources.accounting import FileState
from detector.sources.day_folder import folder_above, is_day_folder
from detector.sources.open_file import is_remote
from detector.sources.source import Source, SourceFile, unique_files
from detector.store import FileRow, Store
from detector.text.late_pattern import late_pattern

_RETRY_AFTER = 30.0
_RETRIED = ("unreadable", "throttled", "credentials", "unreachable")
"""Reasons for which an unchanged file is read again after ``_RETRY_AFTER`` seconds."""
_PASSING = ("reading", "being-written", "link", "out-of-range", "retry", "bucket-not-named")
"""Reasons that apply only as long as the sweep reports them."""
_GIVE_UP_AFTER = 24 * 3600.0
_MILLISECOND = 1_000_000
"""In nanoseconds. A backfill knows file times only to the millisecond."""
_LABEL = late_pattern(r"_(\d{8}T\d{4})Z_")


class ReadScheduler:
    """Schedules the files to read, from the state in which the last read left each."""

    def __init__(self, store: Store, source: Source, clock: Callable[[], float]) -> None:
        self.files = KnownFiles(store.files.all())
        self.has_digests = store.completeness.has_digests()
        """Whether there are digest files to compare log files with."""
        self._store = store
        self._source = source
        self._clock = clock
        self._swept_paths: set[str] = set()
        """The paths of all files that the sweeps have found."""
        self._waiting_since: dict[str, float] = {}
        self._loaded_folders = {
            row.path: row.file.mtime_ns for row in self.files if is_day_folder(row.path)
        }
        """The mtime (nanoseconds) of the newest file of each folder that a backfill has loaded."""
        self._retrying = {row.path for row in self.files if _is_retried_unfound(row)}
        """The paths of files to retry although the source, looking for new ones, omits them."""

    def schedule(self, swept: Iterable[SourceFile], is_final: bool) -> list[Task]:
        """Return a task for each file that is due, oldest delivery first.

        A file is due if it is new, has changed or waits for a retry. ``is_final``: the files will
        not grow any more.
        """
        unloaded = [file for file in swept if not self._is_loaded(file)]
        files = self._prefer_known_names(unique_files(unloaded))
        self._track_renames(files)
        files = [self._without_old_problem(file) for file in files]
        paths = {file.path for file in files}
        self._swept_paths |= paths
        files += self._retried_files(paths)
        self.has_digests = self.has_digests or any(DIGEST in file.path for file in files)
        tasks = []
        for file in files:
            previous = self.files.get(file.path)
            if self._is_due(file, previous, is_final):
                task = Task(
                    file=file,
                    previous=previous,
                    generation=self._store.rules.generation,
                    is_final=is_final or self._seconds_waited(file.path) > _GIVE_UP_AFTER,
                    hash_content=self.has_digests and trail_file(file.path) is not None,
                )
                tasks.append(task)
        scheduled = {task.file.path for task in tasks}
        self._source.committed(
            [path for path in self._read_objects(files) if path not in scheduled]
        )
        return sorted(tasks, key=lambda task: _delivery_label(task.file))

    def record(self, row: FileRow) -> None:
        """Record the state in which a read left a file."""
        self.files.add(row)
        if _is_retried_unfound(row):
            self._retrying.add(row.path)
        else:
            self._retrying.discard(row.path)

    def any_being_written(self) -> bool:
        """Tell whether any file is still being written."""
        return any(row.reason == "being-written" for row in self.files.unread())

    def states_of_found(self) -> Counter[FileState]:
        """Count the files that the sweeps have found, by their current state."""
        rows = (self.files.get(path) for path in self._swept_paths)
        return Counter(row.state for row in rows if row is not None)

    def reread_outdated(self) -> None:
        """Schedule the objects that were read with other rules.

        This is needed because a source that looks for new objects does not find them again.
        """
        self._retrying |= {
            row.path
            for row in self.files
            if is_remote(row.path)
            and row.state == "read"
            and row.generation != self._store.rules.generation
        }

    def recheck_quarantine(self) -> None:
        """Apply the analyst's stored decisions on quarantined files."""
        for row in self._store.files.all():
            known = self.files.get(row.path)
            if known is None or known.state == row.state:
                continue
            if "quarantined" in (known.state, row.state):
                self.files.add(row)
                if row.state == "waiting":
                    self._retrying.add(row.path)
                else:
                    self._retrying.discard(row.path)

    def _is_loaded(self, file: SourceFile) -> bool:
        """Tell whether a backfill has loaded a file together with the folder of its day.

        A file that the backfill could not read has a row of its own, and is considered again."""
        row = self.files.get(file.path)
        if row is not None and row.files:
            return False
        newest = self._loaded_folders.get(folder_above(file.path))
        return newest is not None and file.mtime_ns // _MILLISECOND <= newest // _MILLISECOND

    def _read_objects(self, files: Iterable[SourceFile]) -> list[str]:
        """Return the paths of the objects that do not wait any more: read, skipped, quarantined."""
        rows = [self.files.get(file.path) for file in files if is_remote(file.path)]
        return [row.path for row in rows if row is not None and row.state != "waiting"]

    def _retried_files(self, swept: Set[str]) -> list[SourceFile]:
        rows = [self.files.get(path) for path in self._retrying - swept]
        return [row.file for row in rows if row is not None]

    def _is_due(self, file: SourceFile, previous: FileRow | None, is_final: bool) -> bool:
        if file.problem is not None:
            return _is_news(file.problem[:2], previous)
        if previous is None or previous.file != file:
            self._waiting_since.pop(file.path, None)
            return True
        if previous.generation != self._store.rules.generation or previous.reason in _PASSING:
            return True
        if not _is_retried(previous):
            return False
        self._waiting_since.setdefault(file.path, self._clock())
        waited = self._seconds_waited(file.path)
        if previous.reason in _RETRIED and waited > _RETRY_AFTER:
            del self._waiting_since[file.path]
            return True
        return is_final or waited > _GIVE_UP_AFTER

    def _seconds_waited(self, path: str) -> float:
        """Return the seconds for which a file has been waiting unchanged."""
        now = self._clock()
        return now - self._waiting_since.get(path, now)

    def _prefer_known_names(self, files: list[SourceFile]) -> list[SourceFile]:
        """Of several names of a file, prefer the path under which it was read before."""
        for index, file in enumerate(files):
            row = self.files.get(file.path)
            is_link = file.problem is not None and file.problem[1] == "link"
            if not is_link or row is None or row.reason == "link":
                continue
            for other_index, other in enumerate(files[:index]):
                if other.identity == file.identity and other.problem is None:
                    if other.path not in self.files and row.file.identity == file.identity:
                        files[other_index] = other._replace(problem=file.problem)
                        files[index] = file._replace(problem=None)
                    break
        return files

    def _without_old_problem(self, file: SourceFile) -> SourceFile:
        """Drop the problem "being-written" of a file that was read before under another name.

        Log rotation may give such a file a temporary name."""
        if file.problem is None or file.problem[1] != "being-written":
            return file
        row = self.files.get(file.path)
        is_known = row is not None and row.file.identity == file.identity
        if is_known and row is not None and row.reason != "being-written":
            return file._replace(problem=None)
        return file

    def _track_renames(self, files: Sequence[SourceFile]) -> None:
        moves = self.files.track_renames(files, self._source.in_scope)
        if moves.renamed or moves.lost:
            self._store.files.move(moves.renamed, moves.lost)


def _is_retried(row: FileRow) -> bool:
    """Tell whether a file is read again even if it has not changed."""
    return row.state == "waiting" or (row.state == "quarantined" and row.reason in _RETRIED)


def _is_retried_unfound(row: FileRow) -> bool:
    """Tell whether a file is read again even if no sweep finds it."""
    if is_remote(row.path):
        return _is_retried(row)
    return _is_retried(row) and row.reason in _RETRIED and row.file.device != 0


def _is_news(state_and_reason: tuple[str, str], previous: FileRow | None) -> bool:
    """Tell whether a file's problem is not in the store yet."""
    if previous is None:
        return True
    if previous.state == "read" and state_and_reason[1] == "out-of-range":
        return False
    return (previous.state, previous.reason) != state_and_reason


def _delivery_label(file: SourceFile) -> str:
    """Return the minute of a file's delivery, as ``YYYYMMDDTHHMM`` in UTC.

    It comes from the name, which copying does not change, or else from the mtime.
    """
    label = _LABEL.search(file.path)
    if label:
        return label[1]
    return time.strftime("%Y%m%dT%H%M", time.gmtime(file.mtime_ns / 1e9))
