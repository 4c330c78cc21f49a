"""The facts of one alert in a report: what, who, when, where, and what else was seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detector.cloudtrail.tool_signatures import tool_signatures_of
from detector.detection.baseline import first_seen
from detector.detection.risk import risk_sentence
from detector.inventory.inventory_files import current_inventory
from detector.text.markdown import code, codes, plain
from detector.text.time import format_time

if TYPE_CHECKING:
    from detector.investigation.case import Case

_LEANINGS = {"attack": "attack tool", "benign": "usually benign", "neutral": "neutral"}


def what_lines(case: Case) -> Iterator[str]:
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
    denied = f"{alert.event_count}, {alert.facets.denied} denied"
    yield f"- Matching calls: {codes(actions)} ×{denied}"
    if alert.facets.error_codes:
        yield f"- Errors: {codes(alert.facets.error_codes)}"


def who_lines(case: Case) -> Iterator[str]:
    facets, lineage = case.alert.facets, case.lineage
    inventory = current_inventory()
    yield f"- Principal: {codes(facets.arns) or 'no ARN'} ({codes(facets.identity_types)})"
    for name, values in (
        ("Role", facets.roles),
        ("Access keys", facets.access_keys),
        ("Accounts", facets.accounts),
        ("Account names", inventory.account_names(facets.accounts)),
        ("One AssumeRole away", [*lineage.hop.arns, *lineage.hop.keys]),
    ):
        if values:
            yield f"- {name}: {codes(values)}"
    for known in inventory.callers(facets.arns, facets.user_agents):
        yield f"- Known as: {plain(known.label())}"
    yield f"- History: {first_seen(case.alert.baseline, case.alert.first_event)[1]}"


def when_lines(case: Case) -> Iterator[str]:
    alert = case.alert
    first, last = format_time(alert.first_event), format_time(alert.last_event)
    yield f"- First call {first}, last call {last} (all times UTC)"
    if alert.window:
        start, end = format_time(alert.window.start), format_time(alert.window.end)
        state = "settled" if alert.settled else "provisional"
        yield (
            f"- Window: {start} to {end} ({alert.window.mode}), {state}, revision {alert.revision}"
        )


def where_lines(case: Case) -> Iterator[str]:
    alert = case.alert
    facets = alert.facets
    yield f"- Regions ({len(facets.regions)}): {codes(facets.regions)}"
    baseline = alert.baseline
    if baseline and baseline.has_enough_history(alert.first_event) and baseline.unused_regions:
        regions = codes(baseline.unused_regions)
        yield f"- Regions with no previous changes by this account: {regions}"
    yield f"- Source IP: {codes(case.addresses)}"
    networks = [*alert.networks, *current_inventory().network_names(facets.source_addresses)]
    if networks:
        yield f"- Network: {codes(networks)}"
    yield f"- User agent: {codes(facets.user_agents)}"
    yield from (
        f"- User agent matches {tool.name}: {tool.because} ({_LEANINGS[tool.leaning]})"
        for tool in tool_signatures_of(facets.user_agents)
    )


def correlation_lines(case: Case) -> Iterator[str]:
    if case.alert.risk:
        yield f"Risk {risk_sentence(case.alert.risk)}.\n"
    yield "| question | answer | |\n|---|---|---|"
    yield from (
        f"| {plain(answer.question)} | {answer.verdict} | {_detail(answer.detail)} |"
        for answer in case.answers
    )


def _detail(text: str) -> str:
    """Format an answer's detail, which quotes names from the log."""
    return plain(" ".join(text.split()))
