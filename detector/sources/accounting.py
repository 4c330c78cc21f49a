"""Counts of all files found and all records seen, by outcome and reason."""

from __future__ import annotations

from typing import Literal

import msgspec

FileState = Literal["read", "waiting", "skipped", "quarantined"]


class Accounting(msgspec.Struct, frozen=True):
    """Counts of files and records, which always add up.

    files found = read + waiting + skipped + quarantined; records seen = read + skipped + rejected;
    of those read, hits = counted + duplicate.

    Hits are records that at least one rule counts; ``records_duplicate`` are further copies of an
    event. A record that no rule counts changes nothing, however often it is delivered, and is not
    kept in the state. ``late_dropped`` records were read, but their windows had already been
    evicted: they are in no window.
    """

    files_read: int = 0
    files_waiting: int = 0
    files_skipped: dict[str, int] = {}
    files_quarantined: dict[str, int] = {}
    records_seen: int = 0
    records_counted: int = 0
    records_duplicate: int = 0
    records_skipped: dict[str, int] = {}
    records_rejected: dict[str, int] = {}
    late_dropped: int = 0

    @property
    def files_found(self) -> int:
        return (
            self.files_read
            + self.files_waiting
            + sum(self.files_skipped.values())
            + sum(self.files_quarantined.values())
        )

    @property
    def records_read(self) -> int:
        return (
            self.records_seen
            - sum(self.records_skipped.values())
            - sum(self.records_rejected.values())
        )

    @property
    def hits(self) -> int:
        return self.records_counted + self.records_duplicate
