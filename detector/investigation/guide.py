"""The guide, run: the questions that a sweep raises, each with its answer and the events behind it.

The questions are those of the reference rule's own guide; a rule of the user's may bring more (``investigate``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from detector.cloudtrail.tool_signatures import tool_signatures_of
from detector.detection.alert import Alert
from detector.detection.baseline import first_seen
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.event import Event
from detector.detection.principal import RelatedPrincipals
from detector.ecs.fields import FieldTable
from detector.investigation.pivot import Pivot, Row, around, counted
from detector.investigation.selectors import Both, Condition, Matching

Verdict = Literal["yes", "no", "unknown"]


class Question(NamedTuple):
    """What is asked, and the flags whose events answer it."""

    text: str
    flags: frozenset[str]


QUESTIONS = (
    Question("Did it ask whose key it has?", frozenset({"caller-identity"})),
    Question("Other enumeration?", frozenset({"other-enumeration", "discovery-burst"})),
    Question("Snapshot or image activity?", frozenset({"snapshot", "image-export"})),
    Question(
        "Keys, roles, permissions changed?",
        frozenset({"access-key", "iam-change", "role-assumption"}),
    ),
    Question("S3 writes or large reads?", frozenset({"s3-write", "s3-egress"})),
    Question(
        "Machines started, or shells opened on them?",
        frozenset({"instance-start", "session-start"}),
    ),
)
"""Each is meant of the same principal, within half an hour either side of the window."""

OTHER = "Everything else"
OWN = "The alert's own calls"


class Answer(msgspec.Struct, frozen=True):
    """``count`` is of the events behind it, None where only running ``pivot`` can tell; ``pivot``
    finds those events.

    ``detail`` says more, with the log's own words in it.
    """

    question: str
    verdict: Verdict
    count: int | None
    detail: str
    pivot: Pivot | None


def answers(
    alert: Alert,
    signals: Mapping[str, Sequence[Event]],
    lineage: RelatedPrincipals,
    fields: FieldTable,
) -> list[Answer]:
    """The guide's questions, answered from what was found around the alert."""
    return [
        _new(alert, lineage),
        *(_counted(alert, question, signals, lineage) for question in QUESTIONS),
        _regions(alert, lineage, fields),
        _denied(alert),
        _tool(alert),
    ]


def by_question(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """The rows of a pivot under the questions that they answer; those that answer none come last.

    A row stands under the first that it answers. The alert's own calls come first, under a head of
    their own."""
    groups: dict[str, list[Row]] = {
        OWN: [],
        **{question.text: [] for question in QUESTIONS},
        OTHER: [],
    }
    for row in rows:
        asked = next(
            (question.text for question in QUESTIONS if not question.flags.isdisjoint(row.flags)),
            OTHER,
        )
        groups[OWN if row.own else asked].append(row)
    return [(head, held) for head, held in groups.items() if held]


def answered(answer: Answer, rows: Sequence[Row]) -> Answer:
    """An answer that only its pivot could give, from what that has found."""
    detail = f"{_plural(len(rows), 'call')}: {counted(rows)}" if rows else "none"
    return msgspec.structs.replace(
        answer, verdict="yes" if rows else "no", count=len(rows), detail=detail
    )


def _new(alert: Alert, lineage: RelatedPrincipals) -> Answer:
    baseline = alert.baseline
    new, words = first_seen(baseline, alert.first_event)
    pivot = None
    if baseline and (
        firsts := [at for at in (baseline.principal_first, baseline.key_first) if at is not None]
    ):
        since = max(firsts)
        pivot = Pivot("its first events", lineage, since, since + 2 * SIGNAL_REACH, since)
    return Answer(
        "Is the principal new here?",
        "unknown" if new is None else "yes" if new else "no",
        None if new is None else int(new),
        words,
        pivot,
    )


def _counted(
    alert: Alert,
    question: Question,
    signals: Mapping[str, Sequence[Event]],
    lineage: RelatedPrincipals,
) -> Answer:
    pivot = msgspec.structs.replace(around(alert, lineage, question.text), flags=question.flags)
    known = alert.baseline is not None
    events = {
        (event.account, event.event_id): event
        for flag in sorted(question.flags)
        for event in signals.get(flag, ())
    }
    counts = Counter(event.action for event in events.values())
    named = ", ".join(
        f"{action} {count}"
        for action, count in sorted(counts.items(), key=lambda it: (-it[1], it[0]))
    )
    refused = sum(1 for event in events.values() if event.error_code)
    detail = (
        (f"{_plural(len(events), 'call')}: {named}" + (f"; {refused} refused" if refused else ""))
        if events
        else f"none within {SIGNAL_REACH // 60} minutes"
        if known
        else "not searched yet"
    )
    return Answer(
        question.text, "yes" if events else "no" if known else "unknown", len(events), detail, pivot
    )


def _regions(alert: Alert, lineage: RelatedPrincipals, fields: FieldTable) -> Answer:
    asked, baseline = "Regions the account does not use?", alert.baseline
    if baseline is None or not baseline.has_enough_history(alert.first_event):
        return Answer(asked, "unknown", None, first_seen(baseline, alert.first_event)[1], None)
    unused = baseline.unused_regions
    if not unused:
        return Answer(asked, "no", 0, "it has been changing things in all of them", None)
    there = Both((lineage, Matching(((Condition(fields["cloud.region"], tuple(unused)),),))))
    return Answer(asked, "yes", len(unused), ", ".join(unused), around(alert, there, asked))


def _denied(alert: Alert) -> Answer:
    denied, codes = alert.facets.denied, ", ".join(alert.facets.error_codes)
    return Answer(
        "Were its calls refused?",
        "yes" if denied else "no",
        denied,
        f"{denied} of {alert.event_count}: {codes}"
        if denied
        else f"all {alert.event_count} succeeded",
        None,
    )


def _tool(alert: Alert) -> Answer:
    found = tool_signatures_of(alert.facets.user_agents)
    return Answer(
        "Does the user agent tell of a tool?",
        "yes" if found else "no",
        len(found),
        "; ".join(f"{tell.name}: {tell.because}" for tell in found) or "nothing known",
        None,
    )


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
