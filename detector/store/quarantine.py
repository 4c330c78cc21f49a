"""The quarantine: files that could not be read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector.store.database import Database, raises_damaged
from detector.store.decisions.decision_kinds import encode_json
from detector.store.decisions.undo_journal import Change, UndoJournal
from detector.store.files.file_packs import files_in_state
from detector.text.path_text import path_text, source_text


class QuarantinedFile(msgspec.Struct, frozen=True):
    """A file that could not be read, and why."""

    path: str
    reason: str
    detail: str
    size: int


class Quarantine:
    """The files in quarantine."""

    def __init__(self, database: Database, journal: UndoJournal) -> None:
        self._database = database
        self._journal = journal

    @raises_damaged
    def files(self) -> list[QuarantinedFile]:
        """Return the files in quarantine, in order of path."""
        return [
            QuarantinedFile(path, row.reason or "", row.detail or "", row.size)
            for path, row in files_in_state(self._database.rows, "quarantined")
        ]

    def retry(self, paths: Sequence[str]) -> list[str]:
        """Release these files, so that the next sweep reads them again.

        Returns the paths that had already left the quarantine; those files are left unchanged.
        """
        return self._release(paths, "waiting", "retry", "queued for retry")

    def ignore(self, paths: Sequence[str]) -> list[str]:
        """Count these files as skipped, for as long as they do not change.

        Returns the paths that had already left the quarantine; those files are left unchanged.
        """
        return self._release(paths, "skipped", "ignored", "ignored by the analyst")

    def _release(self, paths: Sequence[str], state: str, reason: str, detail: str) -> list[str]:
        value = encode_json([state, reason, detail])
        with self._database.transaction() as connection:
            # No other process can write until the transaction ends, so this list stays valid.
            quarantined = {file.path for file in self.files()}
            self._journal.decide(
                connection,
                reason,
                [
                    Change("file", path_text(path), value, source_text(path))
                    for path in paths
                    if path in quarantined
                ],
            )
        return [path for path in paths if path not in quarantined]
