"""List exports as CSV, JSON Lines, Markdown and HTML.

Each list declares its columns; this module renders every format. Log text is neutralised in all of
them: no formulas in cells, no markup in Markdown or HTML, no active characters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Literal, TypeVar, get_args

import msgspec

from detector import __version__
from detector.text.json_output import json_lines
from detector.text.markdown import WHOLE, code, plain
from detector.text.plural import plural
from detector.text.spreadsheet import BYTE_ORDER_MARK, csv_text
from detector.text.time import format_time
from detector.text.visible import visible

_R = TypeVar("_R")

ListFormat = Literal["csv", "jsonl", "md", "html"]
LIST_FORMATS: tuple[ListFormat, ...] = get_args(ListFormat)

ColumnKind = Literal["text", "code", "number", "time", "list"]


class ExportColumn(msgspec.Struct, Generic[_R], frozen=True):
    """A column of an export.

    ``name`` is the machine-readable name, ``heading`` the label for people; a column without a
    heading is left out of Markdown and HTML tables. ``read`` returns a text, a number, epoch
    seconds, a list of texts, or None, according to ``kind``; ``code`` and ``list`` columns hold
    names from logs."""

    name: str
    heading: str
    kind: ColumnKind
    read: Callable[[_R], Any]


class ListExport(msgspec.Struct, Generic[_R], frozen=True):
    """A kind of list: its title, the noun for its rows, its columns, and a row's JSON object."""

    title: str
    noun: str
    columns: tuple[ExportColumn[_R], ...]
    as_object: Callable[[_R], dict[str, Any]] | None = None

    def text(
        self,
        rows: Iterable[_R],
        format: ListFormat,
        spreadsheet: bool = False,
        subtitle: str = "",
        now: float | None = None,
    ) -> str:
        """Export rows in the order given.

        With ``spreadsheet``, CSV begins with a byte order mark and writes times in a form that
        spreadsheets recognise (``2026-03-01 11:58:02``, UTC). ``subtitle`` describes the selection
        of rows. ``now`` is the time of the export in epoch seconds."""
        if format == "jsonl":
            return json_lines(map(self.as_object or self._object, rows))
        if format == "csv":
            return self._csv(rows, spreadsheet)
        made = f"{format_time(time.time() if now is None else now)}, trailhound {__version__}"
        if format == "md":
            return self._markdown(list(rows), subtitle, made)
        return self._html(list(rows), subtitle, made)

    def _object(self, row: _R) -> dict[str, Any]:
        return {column.name: _json_value(column, row) for column in self.columns}

    def _csv(self, rows: Iterable[_R], spreadsheet: bool) -> str:
        names = [column.name for column in self.columns]
        cells = ([_cell(column, row, spreadsheet) for column in self.columns] for row in rows)
        mark = BYTE_ORDER_MARK if spreadsheet else ""
        return mark + csv_text(names, cells)

    @property
    def _shown(self) -> tuple[ExportColumn[_R], ...]:
        return tuple(column for column in self.columns if column.heading)

    def _markdown(self, rows: Sequence[_R], subtitle: str, made: str) -> str:
        columns = self._shown
        lines = [f"# {self.title}", "", f"{plural(len(rows), self.noun)}{_told(plain(subtitle))}."]
        lines += ["", _markdown_row(column.heading for column in columns)]
        lines.append(_markdown_row(_ALIGNED.get(column.kind, "---") for column in columns))
        lines += [
            _markdown_row(_markdown_value(column, column.read(row)) for column in columns)
            for row in rows
        ]
        return "\n".join([*lines, "", f"Generated {made}.", ""])

    def _html(self, rows: Sequence[_R], subtitle: str, made: str) -> str:
        columns = self._shown
        heads = "".join(f"<th>{_escaped(column.heading)}</th>" for column in columns)
        body = "\n".join(
            "<tr>" + "".join(_html_cell(column, column.read(row)) for column in columns) + "</tr>"
            for row in rows
        )
        count = f"{plural(len(rows), self.noun)}{_told(subtitle)}."
        table = f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        return html_page(self.title, f"<p>{_escaped(count)}</p>\n{table}", made)


def html_page(title: str, body: str, made: str) -> str:
    """Return a self-contained HTML page, without scripts or external resources."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_escaped(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n<h1>{_escaped(title)}</h1>\n{body}\n"
        f"<footer>Generated {_escaped(made)}.</footer>\n"
        "</body></html>\n"
    )


def _told(subtitle: str) -> str:
    return f": {subtitle}" if subtitle else ""


def _json_value(column: ExportColumn[_R], row: _R) -> Any:
    value = column.read(row)
    if column.kind == "time" and value is not None:
        return format_time(value)
    return value


def _cell(column: ExportColumn[_R], row: _R, spreadsheet: bool) -> Any:
    value = column.read(row)
    if value is None:
        return ""
    if column.kind != "time":
        return value
    text = format_time(value)
    if spreadsheet:
        return text.replace("T", " ").removesuffix("Z")
    return text


def _markdown_value(column: ExportColumn[Any], value: Any) -> str:
    if value is None:
        return ""
    match column.kind:
        case "time":
            return format_time(value)
        case "number":
            return f"{value:,}"
        case "code":
            return code(value)
        case "list":
            return ", ".join(map(code, value))
    return plain(value).replace("\n", " ")


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


_ALIGNED = {"number": "--:"}


def _html_cell(column: ExportColumn[Any], value: Any) -> str:
    if value is None:
        return "<td></td>"
    match column.kind:
        case "time":
            return f"<td>{format_time(value)}</td>"
        case "number":
            return f'<td class="number">{value:,}</td>'
        case "code":
            return f"<td>{html_code(value)}</td>"
        case "list":
            return f"<td>{'<br>'.join(map(html_code, value))}</td>"
    return f"<td>{_escaped(value)}</td>"


def html_code(text: str) -> str:
    """Format a name from a log as inline code."""
    return f"<code>{_escaped(text)}</code>" if text else ""


def _escaped(text: str) -> str:
    import html  # imported late: it loads the table of all named characters

    return html.escape(visible(text, WHOLE, lines=True))


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem;
  color: #1c2127; background: #fff; }
h1, h2, h3 { line-height: 1.2; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid #d5dae1; padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
td.number { text-align: right; }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
blockquote { border-left: 3px solid #8a94a3; margin: .5rem 0; padding: .1rem .8rem; }
footer { color: #5b6572; margin-top: 2rem; }
@media (prefers-color-scheme: dark) { body { color: #e6e9ee; background: #14171c; }
  th, td { border-color: #3a424d; } footer { color: #a2acba; } }
"""
