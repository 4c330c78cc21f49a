"""Exports of hunts: the list of hunts, a hunt's report, and its queries as a hunt file."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol

from detector import __version__
from detector.delivery.list_export import ExportColumn, ListExport
from detector.text.markdown import WHOLE, code, plain
from detector.text.time import format_time
from detector.text.visible import visible
from detector.triage.hunt_record import HuntFinding, HuntQuery, HuntRecord, HuntRun, hunt_object

LANGUAGE_NAMES = {"esql": "ES|QL", "kql": "KQL", "lucene": "Lucene", "eql": "EQL"}
"""The display name of each query language."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class LoggedEdit(Protocol):
    """A line of a hunt's history; ``time`` is in epoch seconds."""

    @property
    def time(self) -> float: ...
    @property
    def author(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def detail(self) -> str: ...


class HuntEdit(NamedTuple):
    """An edit of a hunt: all lines of its history that were written together."""

    time: float
    author: str
    kind: str
    details: tuple[str, ...]


def hunt_edits(lines: Iterable[LoggedEdit]) -> list[HuntEdit]:
    """Group a hunt's history into edits, oldest first.

    Consecutive lines with the same author and kind, less than a second apart, form one edit, with
    one detail for each line."""
    edits: list[HuntEdit] = []
    for line in lines:
        details: tuple[str, ...] = (line.detail,)
        if edits and edits[-1][1:3] == (line.author, line.kind) and line.time - edits[-1].time < 1:
            details = edits.pop().details + details
        edits.append(HuntEdit(line.time, line.author, line.kind, details))
    return edits


def _text(field: str) -> ExportColumn[HuntRecord]:
    return ExportColumn(field, "", "text", lambda hunt: hunt.texts.get(field, ""))


def _query_count(hunt: HuntRecord) -> int:
    return len(hunt.queries)


def _finding_count(hunt: HuntRecord) -> int:
    return len(hunt.findings)


_Column = ExportColumn[HuntRecord]

HUNT_EXPORT: ListExport[HuntRecord] = ListExport(
    "Hunts",
    "hunt",
    (
        _Column("hunt_id", "", "text", attrgetter("hunt_id")),
        _Column("state", "State", "text", attrgetter("state")),
        _Column("name", "Name", "text", attrgetter("name")),
        _text("hypothesis"),
        _text("since"),
        _text("until"),
        _text("accounts"),
        _text("principals"),
        _Column("queries", "Queries", "number", _query_count),
        _Column("findings", "Findings", "number", _finding_count),
        _text("conclusion"),
        _Column("author", "Author", "text", attrgetter("author")),
        _Column("created", "Begun (UTC)", "time", attrgetter("created")),
        _Column("changed", "Changed (UTC)", "time", attrgetter("changed")),
        _Column("changed_by", "Changed by", "text", attrgetter("changed_by")),
    ),
    hunt_object,
)


def hunt_report(
    hunt: HuntRecord, edits: Sequence[LoggedEdit] = (), now: float | None = None
) -> str:
    """Return the Markdown report of a hunt; ``edits`` are its history, oldest first."""
    made = format_time(time.time() if now is None else now)
    sections = [
        f"# Hunt: {plain(hunt.name)}",
        f"{hunt.state.capitalize()}. Begun {format_time(hunt.created)} by {plain(hunt.author)}, "
        f"changed {format_time(hunt.changed)} by {plain(hunt.changed_by)}.",
        *_section("Hypothesis", hunt.texts.get("hypothesis", "")),
        *_section("Conclusion", hunt.texts.get("conclusion", "")),
        "## Scope",
        f"{plain(hunt.scope.phrase[:1].upper() + hunt.scope.phrase[1:])}.",
        "## Findings",
        _findings_table(hunt.findings),
        "## Queries",
        *(_query_section(query, hunt.run_of(query.query_id)) for query in hunt.queries),
        *([] if hunt.queries else ["No queries."]),
        "## Log",
        _log_table(edits),
        f"Generated {made}, trailhound {__version__}.",
    ]
    return "\n\n".join(sections) + "\n"


def _section(heading: str, text: str) -> Iterator[str]:
    if text:
        yield f"## {heading}"
        yield "\n".join(f"> {plain(line)}" for line in text.splitlines())


def _findings_table(findings: Sequence[HuntFinding]) -> str:
    if not findings:
        return "No findings."
    ordered = sorted(findings, key=lambda each: (each.time or 0, each.part))
    return _table(
        ("Time (UTC)", "Kind", "Who", "What", "Id", "Attached by"),
        (
            (
                "" if each.time is None else format_time(each.time),
                each.kind,
                code(each.title),
                plain(each.summary),
                code(each.subject),
                f"{plain(each.author)}, {format_time(each.added)}",
            )
            for each in ordered
        ),
    )


def _query_section(query: HuntQuery, run: HuntRun | None) -> str:
    """Return a query with its last run; the text is indented, so it cannot close a fence."""
    ran = "Not run yet."
    if run is not None:
        ran = f"Last run {format_time(run.time)} by {plain(run.author)}: {run.phrase}."
    lines = "\n".join(
        f"    {visible(line.expandtabs(4), WHOLE)}" for line in query.text.splitlines()
    )
    heading = f"### {plain(query.name)} ({plain(LANGUAGE_NAMES[query.language])})"
    return f"{heading}\n\n{ran}\n\n{lines}"


def _log_table(edits: Sequence[LoggedEdit]) -> str:
    if not edits:
        return "No edits."
    return _table(
        ("Time (UTC)", "Author", "What", "Detail"),
        (
            (format_time(each.time), plain(each.author), each.kind, plain("; ".join(each.details)))
            for each in hunt_edits(edits)
        ),
    )


def _table(headings: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [_row(headings), _row(["---"] * len(headings))]
    lines += [_row([cell.replace("\n", " ") for cell in row]) for row in rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def hunt_file_text(hunt: HuntRecord) -> str:
    """Return a hunt's ES|QL queries as a hunt file for ``trailhound hunt``.

    Raises ValueError if the hunt has no ES|QL query: hunt files hold no other language.
    """
    queries = [query for query in hunt.queries if query.language == "esql"]
    if not queries:
        raise ValueError("no query in ES|QL: a hunt file holds no other")
    texts = ",\n".join(_toml_text(query.text) for query in queries)
    return (
        "[hunt]\n"
        f"name = {_toml_text(hunt.name)}\n"
        f"description = {_toml_text(hunt.texts.get('hypothesis', ''))}\n"
        f"author = {_toml_text(hunt.author)}\n"
        'language = ["ES|QL"]\n'
        f"notes = [{', '.join(_toml_text(query.name) for query in queries)}]\n"
        f"query = [\n{texts},\n]\n"
    )


def _toml_text(text: str) -> str:
    """Return a TOML string: a multi-line literal where the text allows it, otherwise escaped."""
    if "\n" in text and "'''" not in text and not _CONTROL.search(text) and text[-1] != "'":
        return f"'''\n{text}'''"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
