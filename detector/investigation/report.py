"""The Markdown report of a case with one or several alerts.

What a lead reads first comes first: a one-line summary, the verdict and the analyst's text; then
the facts. Log text is in code spans or escaped, so that Markdown in it has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING

from detector import __version__
from detector.cloudtrail.call_object import call_object_in_json
from detector.cloudtrail.principal_name import principal_name
from detector.detection.alert import SEVERITIES, Alert
from detector.detection.baseline import is_long_term
from detector.detection.log_integrity import integrity_sentence, log_file_name
from detector.inventory.inventory_files import current_inventory
from detector.investigation import report_facts
from detector.investigation.case_indicators import (
    ENUMERATION,
    TouchedObject,
    case_indicators,
    touched_objects,
)
from detector.investigation.indicators import IndicatorCounts
from detector.investigation.pivot import EventRow
from detector.rules.rule_summary import AttackTechnique
from detector.text.abbreviations import flag_name
from detector.text.markdown import code, codes, plain
from detector.text.plural import plural
from detector.text.time import format_time
from detector.triage.watch import WatchRow

if TYPE_CHECKING:
    from detector.investigation.case import Case

_SUMMARY_OBJECTS = 3
"""Maximum calls near the alert that the summary line names."""
_GRAVE = frozenset({"access-key", "iam-change"})
_CALLS_PER_RUN = 6

ReportSection = tuple[str, Iterable[str]]


def case_report(case: Case, records: int) -> str:
    """Return the report of an alert; ``records`` is the number of raw records delivered with it."""
    alert = case.alert
    subject = log_file_name(alert) or alert.principal
    title = f"{code(subject) or 'callers without an ARN'}, {format_time(alert.first_event)}"
    return _document(
        title,
        _summary(case),
        (
            ("Verdict", _verdict(case)),
            ("What", report_facts.what_lines(case)),
            ("Who", report_facts.who_lines(case)),
            ("When", report_facts.when_lines(case)),
            ("Where", report_facts.where_lines(case)),
            ("Correlation", report_facts.correlation_lines(case)),
            *_shared_sections([case], case.rows),
            ("Evidence", _evidence(case, records)),
        ),
    )


def joint_report(cases: Sequence[Case], rows: Sequence[EventRow]) -> str:
    """Return the report of several alerts; ``rows`` are all their events, each once, by time."""
    alerts = [case.alert for case in cases]
    principals = sorted({each for alert in alerts for each in alert.facets.arns})
    first = min(alert.first_event for alert in alerts)
    title = f"{plural(len(alerts), 'alert')}, {format_time(first)}"
    worst = max(alerts, key=lambda alert: (SEVERITIES.index(alert.severity), alert.score))
    calls, regions = _totals(alerts)
    summary = (
        f"{plural(len(alerts), 'alert')} of {codes(principals[:3]) or 'callers without an ARN'}"
        f"{_and_more(len(principals) - 3)}: {plural(calls, 'call')} in "
        f"{plural(regions, 'region')}, the worst {worst.severity} (risk {worst.score})"
        f"{_then(touched_objects(rows))}."
    )
    return _document(
        title,
        summary,
        (
            ("Verdict", chain.from_iterable(map(_joint_verdict, cases))),
            ("Alerts", _alert_table(alerts, with_folders=True)),
            *_shared_sections(cases, rows),
            ("Evidence", _joint_evidence(cases)),
        ),
    )


def _document(title: str, summary: str, sections: Sequence[ReportSection]) -> str:
    parts = [f"# Case: {title}\n", f"**{summary}**"]
    for name, lines in sections:
        text = "\n".join(lines)
        if text:
            parts.append(f"\n## {name}\n\n{text}")
    return "\n".join(parts) + "\n"


def _shared_sections(cases: Sequence[Case], rows: Sequence[EventRow]) -> Iterator[ReportSection]:
    """Yield the sections common to single and joint reports."""
    alerts = [case.alert for case in cases]
    ids = {alert.alert_id for alert in alerts}
    related = {each.alert_id: each for case in cases for each in case.related}
    yield "ATT&CK", _attack(alerts)
    yield "Indicators", _indicator_table(alerts, rows)
    yield "Watches", _watch_table(cases[0].watches, rows)
    yield "Objects", _object_table(touched_objects(rows))
    yield "Timeline", _timeline(rows)
    others = [each for each in related.values() if each.alert_id not in ids]
    yield "Related alerts", _alert_table(others)
    yield "Next steps", _next_steps(alerts)
    yield "Source files", _source_table(cases)


# the first line


def _summary(case: Case) -> str:
    alert = case.alert
    facets = alert.facets
    risk = f" Risk {alert.score} ({alert.severity})." if alert.risk else ""
    integrity = integrity_sentence(alert)
    if integrity:
        return f"{plain(integrity)}.{risk}"
    within = f"within {alert.span} s" if alert.span else "in under 1 s"
    actions = sorted({row.event.action for row in case.rows if row.own})
    denied = ""
    if facets.denied:
        denied = f", {facets.denied} denied"
    name = principal_name(alert.principal, account_names=current_inventory().accounts)
    return (
        f"{code(name) or 'Callers without an ARN'} made {plural(alert.event_count, 'call')} "
        f"({codes(actions[:3])}{_and_more(len(actions) - 3)}) in "
        f"{plural(len(facets.regions), 'region')} {within}{denied}"
        f"{_then(touched_objects(case.rows))}.{risk}"
    )


def _then(objects: Sequence[TouchedObject]) -> str:
    """Name the first telling calls that succeeded, with their objects."""
    done = sorted((each for each in objects if each.result == "ok"), key=_is_minor)
    if not done:
        return ""
    named = [f"{code(each.call)} {code(each.object)}".rstrip() for each in done[:_SUMMARY_OBJECTS]]
    return f"; near it {', '.join(named)}{_and_more(len(done) - len(named))}"


def _is_minor(each: TouchedObject) -> bool:
    """Tell whether a call neither shared anything nor changed permissions or credentials."""
    return "shared with" not in each.object and _GRAVE.isdisjoint(each.flags)


def _and_more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _totals(alerts: Sequence[Alert]) -> tuple[int, int]:
    """Return the number of distinct calls of the alerts, and of their regions."""
    events = {(alert.account, event_id) for alert in alerts for event_id in alert.event_ids}
    regions = {region for alert in alerts for region in alert.facets.regions}
    return len(events), len(regions)


# sections


def _verdict(case: Case) -> Iterator[str]:
    alert = case.alert
    hidden = f", suppressed by {alert.suppressed_by}" if alert.suppressed_by else ""
    assignee = f", assigned to {plain(alert.assignee)}" if alert.assignee else ""
    yield f"Status: {alert.status}{hidden}{assignee}."
    if alert.broke_through:
        yield f"Shown despite a suppression: {code(', '.join(alert.broke_through))}."
    if not case.notes:
        yield "\nNo verdict yet."
    for note in case.notes:
        body = note.body
        facts = " · ".join(plain(fact) for fact in (body.verdict, body.ticket, body.owner) if fact)
        yield f"\n{format_time(note.edited or note.created)}, {plain(note.author)}: **{facts}**\n"
        yield from (f"> {plain(line)}" for line in body.text.splitlines())


def _joint_verdict(case: Case) -> Iterator[str]:
    alert = case.alert
    yield f"\n### {plain(alert.rule.name)}, {format_time(alert.first_event)}\n"
    yield from _verdict(case)


def _attack(alerts: Sequence[Alert]) -> Iterator[str]:
    techniques: dict[AttackTechnique, set[str]] = {}
    for alert in alerts:
        for technique in alert.rule.attack:
            techniques.setdefault(technique, set()).add(alert.rule.name)
    if not techniques:
        yield "The rules name no technique."
        return
    yield "| tactic | technique | | rule |\n|---|---|---|---|"
    for each in sorted(techniques, key=lambda each: (each.tactic, each.id)):
        rules = ", ".join(map(plain, sorted(techniques[each])))
        yield f"| {plain(each.tactic)} | {code(each.id)} | {plain(each.name)} | {rules} |"


def _indicator_table(alerts: Sequence[Alert], rows: Sequence[EventRow]) -> Iterator[str]:
    yield "| kind | value | |\n|---|---|---|"
    for each in case_indicators(alerts, rows):
        yield f"| {each.kind} | {code(each.value)} | {plain(each.remark)} |"


def _watch_table(watches: Sequence[WatchRow], rows: Sequence[EventRow]) -> Iterator[str]:
    """Yield the watches whose indicator occurs in the calls, with counts."""
    counts = IndicatorCounts([row.watch.indicator for row in watches])
    counts.add(row.event for row in rows)
    here = {each.indicator: each for each in counts.counts if each.events}
    if not here:
        return
    yield "| watched for | label | events here | first (UTC) | last (UTC) | seen since |"
    yield "|---|---|--:|---|---|--:|"
    for row in watches:
        count = here.get(row.watch.indicator)
        if count is not None:
            yield (
                f"| {row.watch.indicator.kind} {code(row.watch.indicator.text)} "
                f"| {plain(row.watch.label)} | {count.events:,} | {format_time(count.first)} "
                f"| {format_time(count.last)} | {row.count} |"
            )


def _object_table(objects: Sequence[TouchedObject]) -> Iterator[str]:
    if not objects:
        yield "No flagged call near it acted on anything."
        return
    yield "| first (UTC) | call | object | times | result | flags |\n|---|---|---|--:|---|---|"
    for each in objects:
        yield (
            f"| {format_time(each.first)} | {code(each.call)} | {code(each.object)} | {each.count} "
            f"| {code(each.result)} | {', '.join(map(flag_name, each.flags))} |"
        )


def _alert_table(alerts: Sequence[Alert], with_folders: bool = False) -> Iterator[str]:
    if not alerts:
        yield "None of the same principal or access key."
        return
    yield (
        "| first call (UTC) | severity | rule | principal | calls | status | id |\n"
        "|---|---|---|---|--:|---|---|"
    )
    for alert in alerts:
        name = f"{alert.alert_id}/report.md" if with_folders else alert.alert_id
        yield (
            f"| {format_time(alert.first_event)} | {alert.severity} ({alert.score}) "
            f"| {plain(alert.rule.name)} | {code(alert.principal)} | {alert.event_count} "
            f"| {alert.status} | {code(name)} |"
        )


def _timeline(rows: Sequence[EventRow]) -> Iterator[str]:
    """Yield a table with one line for each run of a call on one object."""
    yield (
        "| time (UTC) | call | object | times | regions | result | |\n|---|---|---|--:|--:|---|---|"
    )

    def kind(row: EventRow) -> tuple[object, ...]:
        event = row.event
        if row.own or not row.flags or ENUMERATION.issuperset(row.flags):
            return (row.own, bool(row.flags), event.arn, bool(event.error_code))
        acted_on = call_object_in_json(row.raw)
        return (row.own, event.provider, event.action, event.arn, event.error_code, acted_on)

    for _, run in groupby(rows, kind):
        run_rows = list(run)
        first, last = run_rows[0].event, run_rows[-1].event
        flags = set(chain.from_iterable(row.flags for row in run_rows)) - ENUMERATION
        marks = sorted(map(flag_name, flags))
        if run_rows[0].own:
            marks = ["**this alert**"]
        until = f" to {format_time(last.time)[11:]}" if last.time != first.time else ""
        results = {row.event.error_code for row in run_rows}
        actions = sorted({row.event.action for row in run_rows})
        objects = sorted({call_object_in_json(row.raw) for row in run_rows} - {""})
        yield (
            f"| {format_time(first.time)}{until} "
            f"| {codes(actions[:_CALLS_PER_RUN])}{_and_more(len(actions) - _CALLS_PER_RUN)} "
            f"| {codes(objects[:2])}{_and_more(len(objects) - 2)} | {len(run_rows)} "
            f"| {len({row.event.region for row in run_rows})} "
            f"| {codes(sorted(results - {''})) or 'ok'} | {', '.join(marks)} |"
        )


_STEPS = {
    "access-key": "Deactivate the access keys and credentials that were created or changed; "
    "search for calls made with them.",
    "iam-change": "Revert IAM changes; compare with the last known-good policy.",
    "snapshot": "Identify which accounts the snapshots were shared with or copied to; revoke "
    "sharing; preserve the snapshots as evidence.",
    "image-export": "Identify where AMIs were exported, copied or shared to; revoke sharing.",
    "role-assumption": "Trace the role sessions that were opened, into other accounts too; revoke "
    "suspicious ones.",
    "s3-egress": "Determine which objects were read and the notification impact.",
    "s3-write": "Review S3 writes and bucket changes: policies, replication, deletions.",
    "instance-start": "Examine the launched instances: AMI, role, size, user data. Isolate "
    "them first.",
    "session-start": "Examine the instances on which shells were opened; rotate the credentials "
    "stored on them.",
    "first-seen-principal": "Find out who created this principal or key, when and why.",
    "unused-region": "Check the unusual regions for resources; consider denying unused regions by "
    "policy.",
    "denied-calls": "Calls were denied: find out where the tested credentials leaked from.",
}


def _next_steps(alerts: Sequence[Alert]) -> Iterator[str]:
    keys = sorted(
        {key for alert in alerts for key in alert.facets.access_keys if is_long_term(key)}
    )
    flags = dict.fromkeys(flag.flag for alert in alerts for flag in alert.flags)
    steps = [_STEPS[flag] for flag in flags if flag in _STEPS]
    if keys and steps:
        steps.append(
            f"Deactivate {codes(keys)} unless the owner can account for all of this activity."
        )
    steps.append(
        "Ask the principal's owner whether these calls were theirs; record the answer as a note."
    )
    yield from (f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _source_table(cases: Sequence[Case]) -> Iterator[str]:
    sources = {each.path: each for case in cases for each in case.sources}
    if not sources:
        return
    yield "| log file | records | bytes | SHA-256 |\n|---|--:|--:|---|"
    for path in sorted(sources):
        each = sources[path]
        size = "" if each.bytes is None else f"{each.bytes:,}"
        digest = code(each.sha256) or plain(each.reason)
        yield f"| {code(path)} | {each.records} | {size} | {digest} |"


def _evidence(case: Case, records: int) -> Iterator[str]:
    yield (
        f"{plural(records, 'record')} of this principal from {format_time(case.pivot.start)} to "
        f"{format_time(case.pivot.end)}, unmodified, in `records/`. `pivot.jsonl` lists them by "
        "time, `signals.jsonl` those behind the flags; `alert.json` contains the alert, "
        "`notes.jsonl` the notes, `indicators.csv` the indicators, `timesketch.jsonl` the events "
        "for Timesketch. `report.html` is this report. `manifest.json` lists the SHA-256 of every "
        "file and the source file/offset of every record."
    )
    yield from _gaps(case)
    yield f"\n{_versions(case)}"


def _joint_evidence(cases: Sequence[Case]) -> Iterator[str]:
    yield (
        "Each alert has a folder of its own with its report and its records, unmodified. "
        "`indicators.csv` and `timesketch.jsonl` are of all of them. `manifest.json` lists the "
        "SHA-256 of every file and the source file/offset of every record."
    )
    for case in cases:
        yield from _gaps(case)
    for version in dict.fromkeys(map(_versions, cases)):
        yield f"\n{version}"


def _gaps(case: Case) -> Iterator[str]:
    for event, why in case.missing:
        yield f"\nNo longer available: {code(event.event_id)}: {code(why)}"
    for why in case.unread:
        yield f"\nNot read: {code(why)}"


def _versions(case: Case) -> str:
    """Name the rule and its version, the tool, time and author behind the case."""
    rule = f"rule {code(case.alert.rule.id)}"
    if case.rule is not None:
        rule += f" (version {code(case.rule.fingerprint)} from {code(case.rule.path.name)})"
    return (
        f"Generated {format_time(case.made)} by {plain(case.author)} (trailhound {__version__}), "
        f"{rule}."
    )
