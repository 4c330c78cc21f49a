"""The report of a case, in Markdown.

Text from a log stands in code spans, where Markdown in it has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING

from detector.cloudtrail.tool_signatures import tool_signatures_of
from detector.detection.alert import Alert
from detector.detection.baseline import first_seen
from detector.detection.log_integrity import integrity_sentence, log_file_name
from detector.detection.risk import risk_sentence
from detector.investigation.pivot import EventRow
from detector.text.markdown import code, codes, plain
from detector.text.plural import plural
from detector.text.time import format_time

if TYPE_CHECKING:
    from detector.investigation.case import Case

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
    facets, flags = alert.facets, ", ".join(f"{flag.flag} ({flag.count})" for flag in alert.flags)
    within = f"within {alert.span} s" if alert.span else "within one second"
    risk = f" Risk {risk_sentence(alert.risk)}." if alert.risk else ""
    integrity = integrity_sentence(alert)
    if integrity:
        return f"{plain(integrity)}.{risk}"
    return (
        f"{plural(alert.event_count, 'call')} in {plural(len(facets.regions), 'region')} {within}, "
        f"found by {plain(alert.rule.name)}.{risk}" + (f" Around it: {flags}." if flags else "")
    )


def _what(case: Case) -> Iterator[str]:
    alert, rule = case.alert, case.rule
    name, rule_id = plain(alert.rule.name), code(alert.rule.id)
    yield f"- Rule: {name} ({rule_id}), severity {alert.rule.severity}"
    if rule is not None:
        yield f"- It looks for: {plain(' '.join(rule.description.split()))}"
        if rule.thresholds:
            yield f"- It fires at: {plain(' and '.join(rule.thresholds))}" + (
                f" in {rule.window} s" if rule.window else ""
            )
    actions = sorted({row.event.action for row in case.rows if row.own})
    counts = f"{alert.event_count} of them, {alert.facets.denied} refused"
    yield f"- Counted calls: {codes(actions)}; {counts}"
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
    yield f"- Known before: {first_seen(case.alert.baseline, case.alert.first_event)[1]}"


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
    if alert.baseline and alert.baseline.unused_regions:
        yield f"- Of these unused by the account before: {codes(alert.baseline.unused_regions)}"
    yield f"- From: {codes(case.addresses)}"
    yield f"- With: {codes(facets.user_agents)}"
    yield from (
        f"- The user agent tells of {tool.name}: {tool.because} ({tool.leaning})"
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
    hidden = f", hidden by suppression {alert.suppressed_by}" if alert.suppressed_by else ""
    yield f"Status: {alert.status}{hidden}."
    if alert.broke_through:
        yield f"It broke through a suppression: {code(', '.join(alert.broke_through))}."
    if not case.notes:
        yield "\nNobody has written a verdict yet."
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
            return (False, "listings", bool(event.error_code))
        return (row.own, event.provider, event.action, event.arn, event.error_code)

    for _, run in groupby(rows, kind):
        run_rows = list(run)
        first, last = run_rows[0].event, run_rows[-1].event
        if run_rows[0].own:
            marks = ["**the alert's own**"]
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
    "access-key": "Deactivate the keys and credentials that were made or changed, and look for "
    "calls with them.",
    "iam-change": "Take back the changes of users, roles and policies; compare with the state "
    "before.",
    "snapshot": "Find out with whom snapshots were shared and who copied them; remove the "
    "sharing; keep the snapshots.",
    "image-export": "Find out where images were exported, copied or shared to; remove the sharing.",
    "role-assumption": "Follow the sessions that were opened, also into other accounts; revoke "
    "them where in doubt.",
    "s3-egress": "Establish what was read from S3, and what that means for those whom it concerns.",
    "s3-write": "Check what was written to S3 or changed on buckets: policies, replication, "
    "deletions.",
    "instance-start": "Look at the machines that were started: image, role, size, user data. "
    "Isolate, then examine.",
    "session-start": "Examine the machines on which shells were opened; rotate what credentials "
    "they hold.",
    "first-seen-principal": "Find out who made this principal or key, when and why.",
    "unused-region": "Check the regions that the account does not use for resources; consider "
    "denying them by policy.",
    "denied-calls": "The calls were refused: find out where the credentials come from that "
    "somebody tries.",
}


def _next_steps(case: Case) -> Iterator[str]:
    keys = [key for key in case.alert.facets.access_keys if key.startswith("AKIA")]
    steps = [_STEPS[flag.flag] for flag in case.alert.flags if flag.flag in _STEPS]
    if keys and steps:
        steps.append(f"Deactivate {codes(keys)} unless its owner explains all of this.")
    steps.append(
        "Ask the owner of the principal whether the calls were theirs; write the answer down as "
        "a note."
    )
    yield from (f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _evidence(case: Case, records: int) -> Iterator[str]:
    yield (
        f"{plural(records, 'record')} of its principal from {format_time(case.pivot.start)} to "
        f"{format_time(case.pivot.end)}, as the logs have them, in `records/`. `pivot.jsonl` "
        "lists them in order of "
        "time, `signals.jsonl` those behind the flags; `alert.json` is the alert, `notes.jsonl` "
        "what was written. "
        "`manifest.json` has the SHA-256 of every piece, and the file and place of every record."
    )
    for event, why in case.missing:
        yield f"\nNot there any more: {code(event.event_id)}: {code(why)}"
    for why in case.unread:
        yield f"\nNot read: {code(why)}"
    yield f"\nMade {format_time(case.made)} by {plain(case.author)}."
