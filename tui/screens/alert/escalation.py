"""Case files of escalated alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from detector.detection.alert import Alert
from detector.ecs.fields import field_table
from detector.investigation.case import Case, CaseError
from detector.investigation.case_writer import gather_case, write_case
from detector.store import StateError
from tui.model.workspace import Workspace
from tui.presentation import format


def offer(workspace: Workspace, alerts: Sequence[Alert]) -> None:
    """Ask whether to write the case file of each alert.

    It is a folder in the working directory, where exports go too.
    """
    stamp = datetime.fromtimestamp(workspace.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    folders = {Path.cwd() / f"case-{alert.alert_id}-{stamp}": alert for alert in alerts}
    first = next(iter(folders))
    if len(alerts) == 1:
        files = f"the case file of {format.principal(alerts[0])} to {first}"
    else:
        files = f"{format.plural(len(alerts), 'case file')} to {first.parent}"

    def confirmed() -> None:
        workspace.run_worker(_write(workspace, folders), group="case", exit_on_error=False)

    workspace.routes.confirm(
        f"Escalated. Write {files}, with all nearby records?", "write", confirmed
    )


async def _write(workspace: Workspace, folders: dict[Path, Alert]) -> None:
    workspace.say(f"Reading the logs for {format.plural(len(folders), 'case file')} …")
    report = ""
    try:
        for folder, alert in folders.items():
            case = await asyncio.to_thread(_case, workspace, alert, folder)
            report = f"{format.plural(len(case.rows), 'record')} in {folder}, report.md first"
            missing = len(case.unread) + len(case.missing)
            if missing:
                report += f"; {format.number(missing)} could not be read (listed in manifest.json)"
    except (CaseError, StateError) as error:
        workspace.say(f"No case file: {error}", severity="error")
        return
    if len(folders) > 1:
        report = f"{format.plural(len(folders), 'case file')} in {folder.parent}"
    workspace.say(report)


def _case(workspace: Workspace, alert: Alert, folder: Path) -> Case:
    case = gather_case(workspace.store, alert, workspace.rules, field_table(), workspace.closing)
    write_case(case, folder)
    return case
