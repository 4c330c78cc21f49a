"""Build alerts, notes and suppressions for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.detection.alert import Alert, AlertContext, Flag, Lifecycle
from detector.detection.finding import Facets, Finding, Window
from detector.ingest.pipeline import Update
from detector.rules.rule_summary import RuleSummary
from detector.sources.accounting import Accounting
from detector.triage.note import Note, NoteBody, NoteContext
from detector.triage.suppression import Suppression
from tests.detector.alerts import changed_alert

START = 1_772_359_200
ANA = "arn:aws:iam::111122223333:user/ana"
REGIONS = [f"region-{number}" for number in range(12)]


def facets(**changed: Any) -> Facets:
    one = Facets(
        regions=REGIONS,
        accounts=["111122223333"],
        arns=[ANA],
        roles=[],
        access_keys=["AKIAEXAMPLE000000001"],
        identity_types=["IAMUser"],
        source_addresses=["203.0.113.7"],
        user_agents=["aws-cli/2.17.0"],
        error_codes=[],
        denied=0,
    )
    return msgspec.structs.replace(one, **changed)


def alert(
    name: str = "a", at: int = 0, severity: str = "low", flags: tuple[str, ...] = (), **changed: Any
) -> Alert:
    """Return an alert with id ``name`` on 12 calls within 11 seconds; the first call is ``at``
    seconds after START."""
    first = START + at
    finding = Finding(
        alert_id=name,
        rule=RuleSummary("rule-1", "Many regions", severity, 21, True),
        window=Window("tumbling", first // 30 * 30, first // 30 * 30 + 30),
        key={},
        columns={},
        event_ids=[f"{name}-{number}" for number in range(12)],
        first_event=first,
        last_event=first + 11,
        facets=facets(
            **{key: changed.pop(key) for key in list(changed) if key in Facets.__struct_fields__}
        ),
    )
    context = AlertContext([Flag(flag, 2, first, first) for flag in flags])
    return changed_alert(Alert(finding, context, Lifecycle(settled=True)), **changed)


def note(note_id: int = 1, of: Alert | None = None, created: float = START, **words: Any) -> Note:
    about = of or alert()
    return Note(note_id, about.alert_id, created, "dana", NoteBody(**words), NoteContext.of(about))


def suppression(name: str = "s", **changed: Any) -> Suppression:
    """Return a suppression that hides ANA for an hour from START."""
    one = Suppression(
        scope="principal",
        value=ANA,
        rule_id=None,
        created=START,
        expires=START + 3600,
        ticket="CHG-1",
        owner="dana",
        justification="expected",
        suppression_id=name,
    )
    return msgspec.structs.replace(one, **changed)


def update(
    *alerts: Alert, withdrawn: tuple[str, ...] = (), read: int = 0, **changed: Any
) -> Update:
    one = Update(
        alerts=alerts,
        withdrawn=withdrawn,
        accounting=Accounting(files_read=read),
        live=True,
        newest=None,
        problems=(),
    )
    return msgspec.structs.replace(one, **changed)
