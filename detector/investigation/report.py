"""The report of a case, in Markdown.

Text from a log stands in code spans, where Markdown in it has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING

from detector import __version__
from detector.cloudtrail.tool_signatures import tool_signatures_of
from detector.detection.alert import Alert
from detector.detection.baseline import first_seen
from detector.detection.log_integrity import integrity_sentence, log_file_name
from detector.detection.risk import risk_sentence
from detector.investigation.pivot import EventRow
from detector.text.abbreviations import flag_name
from detector.text.markdown import code, codes, plain
from detector.text.plural import plural
from detector.text.time import format_time

if TYPE_CHECKING:
    from detector.investigation.case import Case

_LEANINGS = {"attack": "attack tool", "benign": "usually benign", "neutral": "neutral"}

_ENUMERATION = frozenset({"other-enumeration", "caller-identity"})


def case_report(case: Case, records: int) -> str:
    """Return the report; ``records`` is the number of raw records beside it."""
    alert = case.alert
    sections = (
        ("What", _what(case)),
        ("Who", _who(case)),
        ("When", _when(case)),
        ("Where", _where(case)),
        ("Correlation", _correlation(case)),
        ("Verdict", _verdict(case)),
        ("Timeline", _timeline(case.rows)),
        ("Next steps", _next_steps(case)),
        ("Evidence", _evidence(case, records)),
    )
    subject = log_file_name(alert) or alert.principal
    head = (
        f"# Case: {code(subject) or 'callers without an ARN'}, {format_time(alert.first_event)}\n"
    )
    return (
        "\n".join(
            [
                head,
                _summary(alert),
                *(f"\n## {title}\n\n" + "\n".join(lines) for title, lines in sections),
            ]
        )
        + "\n"
    )


def _summary(alert: Alert) -> str:
    facets = alert.facets
    flags = ", ".join(f"{flag_name(flag.flag)} ({flag.count})" for flag in alert.flags)
    within = f"within {alert.span} s" if alert.span else "in under 1 s"
    risk = f" Risk {risk_sentence(alert.risk)}." if alert.risk else ""
    integrity = integrity_sentence(alert)
    if integrity:
        return f"{plain(integrity)}.{risk}"
    return (
        f"{plural(alert.event_count, 'call')} in {plural(len(facets.regions), 'region')} {within}, "
        f"detected by “{plain(alert.rule.name)}”.{risk}"
        + (f" Nearby activity (±30 min): {flags}." if flags else "")
    )


def _what(case: Case) -> Iterator[str]:
    alert, rule = case.alert, case.rule
    name, rule_id = plain(alert.rule.name), code(alert.rule.id)
    yield f"- Rule: {name} ({rule_id}), severity {alert.rule.severity}"
    if rule is not None:
        yield f"- Detects: {plain(' '.join(rule.description.split()))}"
        if rule.thresholds:
            yield f"- Threshold: {plain(' and '.join(rule.thresholds))}" + (
                f" in {rule.window} s" if rule.window else ""
            )
    actions = sorted({row.event.action for row in case.rows if row.own})
    counts = f"{alert.event_count}, {alert.facets.denied} denied"
    yield f"- Matching calls: {codes(actions)} ×{counts}"
    if alert.facets.error_codes:
        yield f"- Errors: {codes(alert.facets.error_codes)}"


def _who(case: Case) -> Iterator[str]:
    facets, lineage = case.alert.facets, case.lineage
    yield f"- Principal: {codes(facets.arns) or 'no ARN'} ({codes(facets.identity_types)})"
    for name, values in (
        ("Role", facets.roles),
        ("Access keys", facets.access_keys),
        ("Accounts", facets.accounts),
        ("One AssumeRole away", [*lineage.hop.arns, *lineage.hop.keys]),
    ):
        if values:
            yield f"- {name}: {codes(values)}"
    yield f"- First seen: {first_seen(case.alert.baseline, case.alert.first_event)[1]}"


def _when(case: Case) -> Iterator[str]:
    alert = case.alert
    first, last = format_time(alert.first_event), format_time(alert.last_event)
    yield f"- First call {first}, last call {last} (all times UTC)"
    if alert.window:
        start, end = format_time(alert.window.start), format_time(alert.window.end)
        state = "settled" if alert.settled else "provisional"
        yield (
            f"- Window: {start} to {end} ({alert.window.mode}), {state}, revision {alert.revision}"
        )


def _where(case: Case) -> Iterator[str]:
    alert = case.alert
    facets = alert.facets
    yield f"- Regions ({len(facets.regions)}): {codes(facets.regions)}"
    baseline = alert.baseline
    if baseline and baseline.has_enough_history(alert.start) and baseline.unused_regions:
        regions = codes(baseline.unused_regions)
        yield f"- Regions with no previous changes by this account: {regions}"
    yield f"- Source IP: {codes(case.addresses)}"
    yield f"- User agent: {codes(facets.user_agents)}"
    yield from (
        f"- User agent matches {tool.name}: {tool.because} ({_LEANINGS[tool.leaning]})"
        for tool in tool_signatures_of(facets.user_agents)
    )


def _correlation(case: Case) -> Iterator[str]:
    if case.alert.risk:
        yield f"Risk {risk_sentence(case.alert.risk)}.\n"
    yield "| question | answer | |\n|---|---|---|"
    yield from (
        f"| {plain(answer.question)} | {answer.verdict} | {code(answer.detail)} |"
        for answer in case.answers
    )


def _verdict(case: Case) -> Iterator[str]:
    alert = case.alert
    hidden = f", suppressed by {alert.suppressed_by}" if alert.suppressed_by else ""
    yield f"Status: {alert.status}{hidden}."
    if alert.broke_through:
        yield f"Shown despite a suppression: {code(', '.join(alert.broke_through))}."
    if not case.notes:
        yield "\nNo verdict yet."
    for note in case.notes:
        body = note.body
        facts = " · ".join(plain(fact) for fact in (body.verdict, body.ticket, body.owner) if fact)
        yield f"\n{format_time(note.edited or note.created)}, {plain(note.author)}: **{facts}**\n"
        yield from (f"> {plain(line)}" for line in body.text.splitlines())


def _timeline(rows: Sequence[EventRow]) -> Iterator[str]:
    """Yield a table with one line for each run of a call."""
    yield "| time (UTC) | call | times | regions | result | |\n|---|---|--:|--:|---|---|"

    def kind(row: EventRow) -> tuple[object, ...]:
        event = row.event
        if not row.own and _ENUMERATION.issuperset(row.flags) and row.flags:
            return (False, "enumeration", bool(event.error_code))
        return (row.own, event.provider, event.action, event.arn, event.error_code)

    for _, run in groupby(rows, kind):
        run_rows = list(run)
        first, last = run_rows[0].event, run_rows[-1].event
        if run_rows[0].own:
            marks = ["**this alert**"]
        else:
            marks = sorted(set(chain.from_iterable(row.flags for row in run_rows)) - _ENUMERATION)
        until = f" to {format_time(last.time)[11:]}" if last.time != first.time else ""
        results = {row.event.error_code for row in run_rows}
        yield (
            f"| {format_time(first.time)}{until} | {codes(_actions(run_rows))} | {len(run_rows)} "
            f"| {len({row.event.region for row in run_rows})} | "
            f"{codes(sorted(results - {''})) or 'ok'} "
            f"| {', '.join(marks)} |"
        )


def _actions(rows: Iterable[EventRow]) -> list[str]:
    return sorted({row.event.action for row in rows})


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


def _next_steps(case: Case) -> Iterator[str]:
    keys = [key for key in case.alert.facets.access_keys if key.startswith("AKIA")]
    steps = [_STEPS[flag.flag] for flag in case.alert.flags if flag.flag in _STEPS]
    if keys and steps:
        steps.append(
            f"Deactivate {codes(keys)} unless the owner can account for all of this activity."
        )
    steps.append(
        "Ask the principal's owner whether these calls were theirs; record the answer as a note."
    )
    yield from (f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _evidence(case: Case, records: int) -> Iterator[str]:
    yield (
        f"{plural(records, 'record')} of this principal from {format_time(case.pivot.start)} to "
        f"{format_time(case.pivot.end)}, unmodified, in `records/`. `pivot.jsonl` lists them by "
        "time, `signals.jsonl` those behind the flags; `alert.json` contains the alert, "
        "`notes.jsonl` the notes. `manifest.json` lists the SHA-256 of every file and the source "
        "file/offset of every record."
    )
    for event, why in case.missing:
        yield f"\nNo longer available: {code(event.event_id)}: {code(why)}"
    for why in case.unread:
        yield f"\nNot read: {code(why)}"
    made = format_time(case.made)
    yield f"\nGenerated {made} by {plain(case.author)} (trailhound {__version__})."
