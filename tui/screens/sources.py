"""What was read and what could not be: the accounting by reason, and every problem that was met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from textual.content import Content
from textual.widget import Widget

from tui import format, safe
from tui.screens.base import HuntScreen
from tui.screens.entry import Entry, Line, facts
from tui.screens.reader import Reader


class SourcesScreen(HuntScreen):
    def place(self) -> str:
        return "trailhound › Sources"

    def body(self) -> Iterable[Widget]:
        with Reader(id="sources"):
            yield Entry(id="entry")

    def show(self) -> None:
        self.query_one(Entry).show(list(self._lines()))

    def _lines(self) -> Iterator[Line]:
        picture = self.hunt.picture
        path = self.hunt.store.path
        yield from facts(
            ("reads", self.hunt.where),
            ("state", str(path) if path else "temporary: it goes when you leave"),
            ("rules", format.plural(len(list(self.hunt.rules)), "rule")),
            ("stopped", picture.error),
        )
        accounting = picture.accounting
        if accounting is not None:
            yield Content("")
            yield from _sum("files", accounting.files_found, {"read": accounting.files_read,
                                                              "waiting": accounting.files_waiting})
            yield from _reasons("skipped", accounting.files_skipped)
            yield from _reasons("quarantined", accounting.files_quarantined)
            yield Content("")
            yield from _sum("records", accounting.records_seen, {"kept": accounting.records_kept,
                                                                 "duplicate": accounting.records_duplicate})
            yield from _reasons("skipped", accounting.records_skipped)
            yield from _reasons("rejected", accounting.records_rejected)
            if accounting.late_unmerged:
                yield _line("late, unmerged", accounting.late_unmerged)
        problems = [*map(str, self.hunt.rules.problems), *picture.problems]
        yield Content("")
        yield Content.styled("problems", "$foreground-muted")
        yield from (safe.text(f"  {problem}") for problem in reversed(problems))
        if not problems:
            yield Content("  none since trailhound was opened")


def _sum(name: str, total: int, parts: Mapping[str, int]) -> Iterator[Content]:
    yield Content.assemble((f"{name:<8}", "$foreground-muted"), (f"{total:>12,}", "bold"), "  found")
    yield from (_line(part, number) for part, number in parts.items())


def _reasons(part: str, reasons: Mapping[str, int]) -> Iterator[Content]:
    yield from (_line(f"{part}: {reason}", number) for reason, number in sorted(reasons.items()))


def _line(label: str, number: int) -> Content:
    return Content.assemble(f"{'':8}{number:>12,}  ", safe.text(label, "$foreground-muted"))
