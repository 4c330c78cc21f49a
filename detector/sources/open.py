"""From what the user named to sources: files, folders, patterns, lists, standard input, buckets, queues."""

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
    """All the sources named. Where it is live, what does not exist yet may appear later. Raises
    NoSource.

    With ``bounds``, files outside of them are told, not read; ``recorded`` helps to know them.

    A name is a path, a pattern, ``file@LIST`` (a file of names, one a line), ``-``, ``s3://…`` or
    ``sqs://…``."""
    paths: list[Path] = []
    piped: list[Source] = []
    others: list[Source] = []
    for name in expand_lists(names):
        if name == "-":
            piped.append(StandardInput(live))
        elif name.startswith("s3://"):
            from detector.sources.s3_bucket import S3Bucket

            bucket = S3Bucket(name, bounds)
            if not live:
                bucket.check()
            others.append(bucket)
        elif name.startswith("sqs://"):
            from detector.sources.sqs_queue import SqsQueue

            others.append(SqsQueue(name))
        else:
            if (
                not live
                and not os.path.exists(name)
                and not (glob.has_magic(name) and glob.glob(name, recursive=True))
            ):
                raise NoSource(f"{name}: no such file or folder: check the name")
            paths.append(Path(name))
    source: Source = CombinedSource(
        [*([Directory(paths)] if paths or not (piped or others) else []), *piped, *others]
    )
    return source if bounds is None else BoundedSource(source, bounds, snapshots or {})


def expand_lists(names: Sequence[str]) -> Iterator[str]:
    """The names, those of lists in place of the lists. Raises NoSource."""
    for name in names:
        if not name.startswith("file@"):
            yield name
            continue
        try:
            lines = (
                Path(name.removeprefix("file@"))
                .read_text(encoding="utf-8", errors="surrogateescape")
                .split("\n")
            )
        except OSError as error:
            raise NoSource(
                f"{name}: {error.strerror}: name a file with a source on each line"
            ) from None
        yield from (line.strip() for line in lines if line.strip() and not line.startswith("#"))


class StandardInput(Directory):
    """Standard input, kept in a temporary file so that a record can be looked up again: another
    file that grows."""

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
