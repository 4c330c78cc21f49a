"""The sources that the user names on the command line."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from detector.sources.directory import Directory
from detector.sources.source import CombinedSource, NoSource, Source
from detector.sources.time_bounds import BoundedSource, Bounds, FileSnapshot


def open_sources(
    names: Sequence[str],
    live: bool,
    bounds: Bounds | None = None,
    snapshots: Mapping[str, FileSnapshot] | None = None,
) -> Source:
    """Open all the named sources as one. Raises NoSource.

    A name is a path, a pattern, ``file@LIST`` (a file of names, one a line), ``-``, ``s3://…`` or
    ``sqs://…``. A live source may name files that do not exist yet. With ``bounds``, files outside
    of them are found but not read; ``snapshots`` of the files read before help to tell.
    """
    paths: list[Path] = []
    piped: list[Source] = []
    remote: list[Source] = []
    for name in expand_lists(names):
        if name == "-":
            piped.append(StandardInput(live))
        elif name.startswith("s3://"):
            from detector.sources.s3_bucket import S3Bucket

            bucket = S3Bucket(name, bounds)
            if not live:
                bucket.check()
            remote.append(bucket)
        elif name.startswith("sqs://"):
            from detector.sources.sqs_queue import SqsQueue

            remote.append(SqsQueue(name))
        elif live or _exists(name):
            paths.append(Path(name))
        else:
            raise NoSource(f"{name}: no such file or folder: check the name")
    directories: list[Source] = []
    if paths or not (piped or remote):
        directories.append(Directory(paths))
    source = CombinedSource([*directories, *piped, *remote])
    return source if bounds is None else BoundedSource(source, bounds, snapshots or {})


def expand_lists(names: Sequence[str]) -> Iterator[str]:
    """Replace each ``file@LIST`` by the names in the list. Raises NoSource."""
    for name in names:
        if not name.startswith("file@"):
            yield name
            continue
        path = Path(name.removeprefix("file@"))
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise NoSource(
                f"{name}: {error.strerror}: name a file with a source on each line"
            ) from None
        for line in text.split("\n"):
            if line.strip() and not line.startswith("#"):
                yield line.strip()


def _exists(name: str) -> bool:
    """Tell whether a path exists, or a pattern matches any."""
    if os.path.exists(name):
        return True
    return glob.has_magic(name) and bool(glob.glob(name, recursive=True))


class StandardInput(Directory):
    """Standard input, copied to a temporary file that grows.

    The copy is kept so that a record can be looked up again.
    """

    def __init__(self, live: bool) -> None:
        if sys.stdin.isatty():
            raise NoSource("-: standard input is a terminal: pipe the logs in, or name a file")
        self._folder = tempfile.mkdtemp(prefix="trailhound-")
        self._spool = Path(self._folder, "stdin")
        self._spool.touch(0o600)
        super().__init__([self._spool])
        self._copying = threading.Thread(target=self._copy, daemon=True)
        self._copying.start()
        if not live:
            self._copying.join()

    def _copy(self) -> None:
        with open(self._spool, "ab", buffering=0) as file, contextlib.suppress(ValueError):
            while block := os.read(sys.stdin.fileno(), 1 << 20):
                file.write(block)

    def ended(self) -> bool:
        return not self._copying.is_alive()

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)
