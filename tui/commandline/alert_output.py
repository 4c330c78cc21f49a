"""Alerts as the command line prints them: a table, or an export."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from detector.delivery.alert_export import ALERT_EXPORT
from detector.delivery.ocsf import detection_finding
from detector.detection.alert import Alert
from detector.detection.log_integrity import log_file_name
from detector.text.json_output import json_lines
from detector.text.visible import visible

_HEADINGS = (
    "TIME (UTC)",
    "SEV",
    "STATUS",
    "REG",
    "CALLS",
    "SPAN",
    "ACCOUNT",
    "SOURCE",
    "RULE",
    "PRINCIPAL",
)
_RIGHT_ALIGNED = {"REG", "CALLS", "SPAN"}


def format_alerts(alerts: Sequence[Alert], args: argparse.Namespace) -> str:
    """Format alerts as the options say: ``--format``, ``--spreadsheet``, ``--filter``."""
    if args.format == "table":
        return _table(alerts)
    if args.format == "ocsf":
        return json_lines(map(detection_finding, alerts))
    return ALERT_EXPORT.text(alerts, args.format, args.spreadsheet, args.filter)


def _table(alerts: Sequence[Alert]) -> str:
    """Lay out alerts as a table, a line each.

    The principal, which may be of any length, comes last.
    """
    if not alerts:
        return ""
    rows = [_HEADINGS, *map(_table_row, alerts)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "".join(_table_line(row, widths) + "\n" for row in rows)


def _table_row(alert: Alert) -> tuple[str, ...]:
    addresses = alert.facets.source_addresses
    source = addresses[0] if len(addresses) == 1 else f"{len(addresses)} addresses"
    return (
        time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(alert.first_event)),
        alert.severity,
        "suppressed" if alert.suppressed_by else alert.status,
        str(len(alert.facets.regions)),
        str(alert.event_count),
        f"{alert.span}s",
        visible(alert.account),
        visible(source, 39),
        visible(alert.rule.name, 40),
        visible(log_file_name(alert) or alert.principal) or "(no ARN)",
    )


def _table_line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for heading, cell, width in zip(_HEADINGS, row, widths, strict=True):
        aligned = cell.rjust(width) if heading in _RIGHT_ALIGNED else cell.ljust(width)
        cells.append(aligned)
    return "  ".join(cells).rstrip()
