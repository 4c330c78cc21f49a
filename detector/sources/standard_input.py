"""Standard input as a source."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from detector.sources.directory import Directory
from detector.sources.source import NoSource, SourceFile

_BLOCK = 1 << 20


class StandardInput(Directory):
    """Standard input, copied to a temporary file that grows.

    The copy is kept so that records can be looked up again. Raises NoSource if there is no input,
    or if it cannot be copied in full: truncated input would look complete.
    """

    def __init__(self, live: bool) -> None:
        self._input = _open_input()
        try:
            self._folder = tempfile.mkdtemp(prefix="trailhound-")
        except OSError as error:
            raise _no_space(error) from None
        self._spool = Path(self._folder, "stdin")
        self._failure: OSError | None = None
        self._copying = threading.Thread(target=self._copy, daemon=True)
        super().__init__([self._spool])
        try:
            self._spool.touch(0o600)
            self._copying.start()
            if not live:
                self._copying.join()
                self._raise_failure()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise _no_space(error) from None
            raise

    def sweep(self) -> Iterator[SourceFile]:
        self._raise_failure()
        yield from super().sweep()

    def ended(self) -> bool:
        return not self._copying.is_alive()

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _copy(self) -> None:
        try:
            with open(self._spool, "ab") as file:
                while block := os.read(self._input, _BLOCK):
                    file.write(block)
                    file.flush()
        except OSError as error:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise _no_space(self._failure)


def _open_input() -> int:
    """Return the descriptor of standard input. Raises NoSource."""
    try:
        descriptor = sys.stdin.fileno()
        os.fstat(descriptor)
    except (OSError, ValueError, AttributeError):
        raise NoSource("-: there is no standard input: pipe the logs in, or name a file") from None
    if sys.stdin.isatty():
        raise NoSource("-: standard input is a terminal: pipe the logs in, or name a file")
    return descriptor


def _no_space(error: OSError) -> NoSource:
    return NoSource(
        f"-: {error.strerror}: standard input cannot be copied to {_temporary_folder()}: "
        "set TMPDIR to a folder with space, or name a file"
    )


def _temporary_folder() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return "a temporary folder"
