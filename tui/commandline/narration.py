"""Narration of the commands on standard error, and lines that several commands print."""

from __future__ import annotations

import sys

from detector.sources.accounting import Accounting
from detector.sources.open_file import requests_made
from detector.sources.source import Source
from detector.sources.time_bounds import BoundedSource, Bounds
from detector.store import Store
from detector.text.plural import plural
from detector.text.visible import visible

_quiet = False


def be_quiet(quiet: bool) -> None:
    """Narrate only warnings if ``quiet``, otherwise everything."""
    global _quiet
    _quiet = quiet


def narrate(line: str) -> None:
    """Print a line on standard error, with control characters made visible, unless quiet."""
    if not _quiet:
        warn(line)


def warn(line: str) -> None:
    """Print a warning on standard error, with control characters made visible."""
    print(visible(line), file=sys.stderr)


def show_progress(text: str) -> None:
    """Overwrite the last line of standard error, if it is a terminal and not quiet."""
    if sys.stderr.isatty() and not _quiet:
        print(f"\r\x1b[K{text}", end="\r", file=sys.stderr)


def accounting_sums(accounting: Accounting) -> list[str]:
    """Return the sums of files and of records, one per line."""
    rest = ""
    if accounting.hits:
        rest += (
            f"; {plural(accounting.hits, 'hit')} = {accounting.records_counted:,} counted"
            f" + {accounting.records_duplicate:,} duplicate"
        )
    if accounting.late_dropped:
        rest += f"; {accounting.late_dropped:,} late-unmerged"
    return [
        f"files {accounting.files_found:,} found = {accounting.files_read:,} read"
        f" + {accounting.files_waiting:,} waiting"
        f" + {_by_reason(accounting.files_skipped)} skipped"
        f" + {_by_reason(accounting.files_quarantined)} quarantined",
        f"records {accounting.records_seen:,} seen = {accounting.records_read:,} read"
        f" + {_by_reason(accounting.records_skipped)} skipped"
        f" + {_by_reason(accounting.records_rejected)} rejected{rest}",
    ]


def _by_reason(counts: dict[str, int]) -> str:
    total = f"{sum(counts.values()):,}"
    if not counts:
        return total
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()))
    return f"{total} ({reasons})"


def completeness_lines(store: Store, final: bool, bounds: Bounds | None = None) -> list[str]:
    """Return lines on missing or changed files, blind feeds and disabled rules.

    ``final`` means that no more files will arrive.
    """
    lines = [str(finding) for finding in store.completeness.findings(final, bounds)]
    lines += [str(feed) for feed in store.completeness.feeds() if feed.blind]
    lines += [
        f"{folder}: a backfill, which holds selected calls only: whether principals and regions "
        "are new, and what else was called, is not known"
        for folder in store.baseline.selections()
    ]
    rules_off = sorted(store.rules.disabled())
    if rules_off:
        lines.append(
            f"rules disabled in this database: {', '.join(rules_off)}: enable them in the app"
        )
    return lines


def pruned_file_lines(source: Source) -> list[str]:
    """Return lines on how many files were left unread because of the time bounds."""
    if not isinstance(source, BoundedSource):
        return []
    return source.excluded_lines()


def waiting_lines(store: Store) -> list[str]:
    """Name the waiting files with their reasons, one per line."""
    return [f"waiting: {file.path}: {file.detail}" for file in store.files.waiting()]


def cost_lines() -> list[str]:
    """Return a line on what requests to buckets cost, if any were made."""
    requests = requests_made()
    if not requests:
        return []
    return [requests]
