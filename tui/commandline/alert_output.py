"""Print alerts on the command line, as a table or an export."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from detector.delivery.alert_export import ALERT_EXPORT
from detector.delivery.ocsf import detection_finding
from detector.detection.alert import Alert
from detector.detection.log_integrity import log_file_name
from detector.text.json_output import json_lines
from detector.text.visible import visible
from tui.commandline.table import format_table

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
_LINES_AT_ONCE = 1_000
_RULE_CELLS = 60
_RIGHT_ALIGNED = {"REG", "CALLS", "SPAN"}


def print_alerts(alerts: Sequence[Alert], args: argparse.Namespace) -> None:
    """Print alerts as the options require: ``--format``, ``--spreadsheet``, ``--filter``.

    The text of alerts takes as much memory as the alerts, so JSON lines are printed in batches."""
    at_once = _LINES_AT_ONCE if args.format in ("jsonl", "ocsf") else max(len(alerts), 1)
    for first in range(0, max(len(alerts), 1), at_once):
        sys.stdout.write(_text(alerts[first : first + at_once], args))


def _text(alerts: Sequence[Alert], args: argparse.Namespace) -> str:
    if args.format == "table":
        return _table(alerts)
    if args.format == "ocsf":
        return json_lines(map(detection_finding, alerts))
    return ALERT_EXPORT.text(alerts, args.format, args.spreadsheet, args.filter)


def _table(alerts: Sequence[Alert]) -> str:
    """Lay out alerts as a table, one per line, ordered by the time of their first event.

    The principal comes last, because its length is unlimited.
    """
    in_order = sorted(alerts, key=lambda alert: (alert.first_event, alert.alert_id))
    return format_table(_HEADINGS, list(map(_table_row, in_order)), _RIGHT_ALIGNED)


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
        visible(alert.rule.name, _RULE_CELLS),
        visible(log_file_name(alert) or alert.principal) or "(no ARN)",
    )
