"""The case file of escalated alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from detector.detection.alert import Alert
from detector.ecs.fields import field_table
from detector.investigation.case import Case, CaseError
from detector.investigation.case_writer import gather_case, write_case, write_joint_case
from detector.store import StateError
from tui.model.workspace import Workspace
from tui.presentation import format


def offer(workspace: Workspace, alerts: Sequence[Alert]) -> None:
    """Ask whether to write a case file: one for all of ``alerts`` together.

    A case file is a folder in the working directory, where exports are written too.
    """
    stamp = datetime.fromtimestamp(workspace.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    name, subject = alerts[0].alert_id, format.principal(alerts[0])
    if len(alerts) > 1:
        name, subject = f"{len(alerts)}-alerts", format.plural(len(alerts), "alert")
    folder = Path.cwd() / f"case-{name}-{stamp}"

    def confirmed() -> None:
        workspace.run_worker(_write(workspace, alerts, folder), group="case", exit_on_error=False)

    workspace.routes.confirm(
        f"Escalated. Write the case file of {subject} to {folder}, with all nearby records?",
        "write",
        confirmed,
    )


async def _write(workspace: Workspace, alerts: Sequence[Alert], folder: Path) -> None:
    workspace.say(f"Reading the logs for the case file of {format.plural(len(alerts), 'alert')} …")
    try:
        cases = await asyncio.to_thread(_write_case, workspace, alerts, folder)
    except (CaseError, StateError) as error:
        workspace.say(f"No case file: {error}", severity="error")
        return
    records = {row.event.identity for case in cases for row in case.rows}
    report = f"Wrote {format.plural(len(records), 'record')} to {folder}: begin with report.md"
    missing = sum(len(case.unread) + len(case.missing) for case in cases)
    if missing:
        report += f"; {format.number(missing)} could not be read (listed in manifest.json)"
    workspace.say(report)


def _write_case(workspace: Workspace, alerts: Sequence[Alert], folder: Path) -> list[Case]:
    in_order = sorted(alerts, key=lambda alert: (alert.first_event, alert.alert_id))
    cases = [
        gather_case(workspace.store, alert, workspace.rules, field_table(), workspace.closing)
        for alert in in_order
    ]
    if len(cases) == 1:
        write_case(cases[0], folder)
    else:
        write_joint_case(cases, folder)
    return cases
