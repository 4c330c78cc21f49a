"""The case file of what was escalated: asked for, written off the event loop, and where it lies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from detector.detection.alert import Alert
from detector.ecs.fields import fields
from detector.investigation.case import Case, CaseError
from detector.investigation.case_writer import gather, write
from detector.store import StateError
from tui.presentation import format
from tui.screens.forms.confirm import Confirm

if TYPE_CHECKING:
    from tui.app.app import HuntApp


def offer(hunt: HuntApp, alerts: Sequence[Alert]) -> None:
    """Ask whether to write the case file of each alert, a folder where exports go too."""
    stamp = datetime.fromtimestamp(hunt.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    folders = {Path.cwd() / f"case-{alert.alert_id}-{stamp}": alert for alert in alerts}
    first = next(iter(folders))
    what = (
        f"the case file of {format.principal(alerts[0])} to {first}"
        if len(alerts) == 1
        else f"{format.plural(len(alerts), 'case file')} to {first.parent}"
    )

    def answered(yes: bool | None) -> None:
        if yes:
            hunt.run_worker(_write(hunt, folders), group="case", exit_on_error=False)

    hunt.push_screen(
        Confirm(f"Escalated. Write {what}, with every record around it?", "write"), answered
    )


async def _write(hunt: HuntApp, folders: dict[Path, Alert]) -> None:
    hunt.say(f"Reading the logs for {format.plural(len(folders), 'case file')} …")
    said = ""
    try:
        for folder, alert in folders.items():
            case = await asyncio.to_thread(_case, hunt, alert, folder)
            missing = len(case.unread) + len(case.missing)
            said = f"{format.plural(len(case.rows), 'record')} in {folder}, report.md first" + (
                f"; {format.count(missing)} could not be read, manifest.json names them"
                if missing
                else ""
            )
    except (CaseError, StateError) as error:
        hunt.say(f"No case file: {error}", severity="error")
    else:
        hunt.say(
            said
            if len(folders) == 1
            else f"{format.plural(len(folders), 'case file')} in {folder.parent}"
        )


def _case(hunt: HuntApp, alert: Alert, folder: Path) -> Case:
    case = gather(hunt.store, alert, hunt.rules, fields(), hunt.closing)
    write(case, folder)
    return case
