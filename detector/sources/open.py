"""The sources that the user names on the command line."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from detector.sources.directory import NOT_A_FILE, Directory
from detector.sources.os_errors import GONE
from detector.sources.patterns import expand_pattern
from detector.sources.source import CombinedSource, NoSource, Source
from detector.sources.time_bounds import BoundedSource, Bounds, FileSnapshot


def open_sources(
    names: Sequence[str],
    live: bool,
    bounds: Bounds | None = None,
    snapshots: Mapping[str, FileSnapshot] | None = None,
    allow_buckets: Iterable[str] = (),
) -> Source:
    """Open all named sources as one. Raises NoSource.

    A name is a path, a pattern, ``file@LIST`` (a file with one name per line), ``-``, ``s3://…`` or
    ``sqs://…``. A live source may name files that do not exist yet. With ``bounds``, files outside
    the bounds are found but not read; ``snapshots`` of files read earlier help to decide. Objects
    that a queue announces are read only from ``allow_buckets`` and from buckets that are named.
    """
    expanded = list(dict.fromkeys(expand_lists(names)))
    buckets = {*allow_buckets, *_bucket_names(expanded)}
    paths: list[Path] = []
    others: list[Source] = []
    try:
        for name in expanded:
            if name == "-" or name.startswith(("s3://", "sqs://")):
                others.append(_open_stream(name, live, bounds, buckets))
            elif live or _exists(name):
                paths.append(Path(name))
            else:
                raise NoSource(f"{name}: no such file or folder: check the name")
        if paths and not others:
            _refuse_streams(paths)
    except NoSource:
        for opened in others:
            opened.close()
        raise
    directories: list[Source] = [Directory(paths)] if paths or not others else []
    # Standard input comes before the sources on the network.
    others.sort(key=lambda source: not isinstance(source, Directory))
    source = CombinedSource([*directories, *others])
    if bounds is None:
        return source
    # Pass the mapping itself, not a copy: it may be filled later, when the database is open.
    return BoundedSource(source, bounds, {} if snapshots is None else snapshots)


def _open_stream(name: str, live: bool, bounds: Bounds | None, buckets: Set[str]) -> Source:
    """Open standard input, a bucket or a queue. Raises NoSource."""
    # Imported late: most hunts use none of these, and the imports are slow.
    if name == "-":
        from detector.sources.standard_input import StandardInput

        return StandardInput(live)
    if name.startswith("sqs://"):
        from detector.sources.sqs_queue import SqsQueue

        return SqsQueue(name, buckets)
    from detector.sources.s3_bucket import S3Bucket

    bucket = S3Bucket(name, bounds)
    if not live:
        bucket.check()
    return bucket


def expand_lists(names: Sequence[str]) -> Iterator[str]:
    """Replace each ``file@LIST`` with the names in the list. Raises NoSource."""
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


def _bucket_names(names: Iterable[str]) -> list[str]:
    return [
        name.removeprefix("s3://").partition("/")[0] for name in names if name.startswith("s3://")
    ]


def _refuse_streams(paths: Sequence[Path]) -> None:
    """Raise NoSource if all named paths are pipes, sockets or devices.

    If only some are, the sweep reports them and reads the others.
    """
    if all(path.exists() and not path.is_file() and not path.is_dir() for path in paths):
        raise NoSource(f"{paths[0]}: {NOT_A_FILE}")


def _exists(name: str) -> bool:
    """Tell whether a path exists or a pattern matches anything.

    Also true if the path cannot be examined: the sweep reports why. Raises NoSource.
    """
    try:
        os.stat(name)
    except ValueError:
        raise NoSource(f"{name}: no name of a file: check it") from None
    except OSError as error:
        if error.errno not in GONE:
            return True
        return glob.has_magic(name) and _matches_any(os.path.abspath(name))
    return True


def _matches_any(pattern: str) -> bool:
    errors: list[OSError] = []
    first = next(expand_pattern(pattern, lambda _, error: errors.append(error)), None)
    return first is not None or bool(errors)
