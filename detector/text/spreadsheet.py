"""CSV (RFC 4180) for spreadsheets, in which no cell can begin a formula."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from detector.text.late_pattern import late_pattern
from detector.text.markdown import WHOLE
from detector.text.visible import visible

BYTE_ORDER_MARK = "\ufeff"
"""Tells a spreadsheet that a file is UTF-8."""

_SIGN = "[=+\\-@|%\u2212\ufe62\ufe63\ufe66\ufe6a\ufe6b\uff05\uff0b\uff0d\uff1d\uff20\uff5c]"
_FORMULA = late_pattern(rf"[\s\"']*{_SIGN}")
_INNER_FORMULA = late_pattern(rf"([;,|\t\r\n][^\S\n]*[\"']*[^\S\n]*)({_SIGN})")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Format rows as CSV, below a header line of column names."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
    return out.getvalue()


def safe_cell(value: Any) -> str:
    """Format a cell so that no formula begins in it (OWASP, "CSV Injection").

    Some spreadsheets also split cells at other separators and at line breaks, and treat full-width
    signs as plain ones: text that would then begin a formula gets a ``'`` too.
    """
    text = visible("; ".join(value) if isinstance(value, list) else str(value), WHOLE, lines=True)
    if _FORMULA.match(text):
        text = "'" + text
    return _INNER_FORMULA.sub(r"\1'\2", text)
