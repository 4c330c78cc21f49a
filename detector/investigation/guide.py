"""The guide: questions that an enumeration alert raises, and their answers.

The questions are those of the reference rule's guide; other rules may add more (``rule_guide``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from detector.cloudtrail.record import Record
from detector.cloudtrail.tool_signatures import tool_signatures_of
from detector.detection.alert import Alert
from detector.detection.baseline import Baseline, first_seen
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.event import Event
from detector.detection.principal import RelatedPrincipals
from detector.detection.signals.signal_finder import flags_of
from detector.ecs.fields import FieldTable
from detector.investigation.pivot import EventRow, Pivot, count_actions, pivot_around
from detector.investigation.selectors import AllOf, Condition, FieldSelector
from detector.rules.dispatch import Dispatch
from detector.text.plural import plural

AnswerVerdict = Literal["yes", "no", "unknown"]


class Question(NamedTuple):
    """A question, and the flags of the events that answer it."""

    text: str
    flags: frozenset[str]
    counts_own: bool = True
    """Whether the alert's own calls also count."""


QUESTIONS = (
    Question("Did it call GetCallerIdentity?", frozenset({"caller-identity"})),
    Question("Other enumeration?", frozenset({"other-enumeration", "discovery-burst"}), False),
    Question("Snapshot or image activity?", frozenset({"snapshot", "image-export"})),
    Question(
        "IAM changes (keys, roles, policies)?",
        frozenset({"access-key", "iam-change", "role-assumption"}),
    ),
    Question("S3 writes or large downloads?", frozenset({"s3-write", "s3-egress"})),
    Question(
        "Instances launched or accessed?",
        frozenset({"instance-start", "session-start"}),
    ),
)
"""Each is about the alert's principal, from half an hour before the window to half after."""

OTHER_CALLS = "Everything else"
OWN_CALLS = "This alert's calls"


class Answer(msgspec.Struct, frozen=True):
    """The answer to a question.

    ``pivot`` reads the events behind the answer, and ``count`` is their number, None if only the
    pivot can count them. ``detail`` contains text from the log.
    """

    question: str
    verdict: AnswerVerdict
    count: int | None
    detail: str
    pivot: Pivot | None


def guide_answers(
    alert: Alert,
    signals: Mapping[str, Sequence[Event]],
    lineage: RelatedPrincipals,
    fields: FieldTable,
    own: Mapping[str, Sequence[Event]] = MappingProxyType({}),
) -> list[Answer]:
    """Answer the guide's questions from an alert and its signals.

    ``own`` are the alert's own events by the flags that they would raise (see ``own_signals``).
    """
    return [
        _new(alert, lineage),
        *(_from_signals(alert, question, signals, lineage, own) for question in QUESTIONS),
        _regions(alert, lineage, fields),
        _denied(alert),
        _tool(alert),
    ]


def group_by_question(rows: Iterable[EventRow]) -> list[tuple[str, list[EventRow]]]:
    """Group rows under the first question that each of them answers.

    The alert's own calls come first, rows that answer no question last."""
    groups: dict[str, list[EventRow]] = {
        OWN_CALLS: [],
        **{question.text: [] for question in QUESTIONS},
        OTHER_CALLS: [],
    }
    for row in rows:
        question_text = next(
            (question.text for question in QUESTIONS if not question.flags.isdisjoint(row.flags)),
            OTHER_CALLS,
        )
        heading = OWN_CALLS if row.own else question_text
        groups[heading].append(row)
    return [(heading, group) for heading, group in groups.items() if group]


def answer_from_rows(answer: Answer, rows: Sequence[EventRow]) -> Answer:
    """Complete an answer with the rows of its pivot."""
    detail = "none"
    if rows:
        detail = f"{plural(len(rows), 'call')}: {count_actions(rows)}"
    return msgspec.structs.replace(answer, verdict=_yes_or_no(rows), count=len(rows), detail=detail)


def _new(alert: Alert, lineage: RelatedPrincipals) -> Answer:
    baseline = alert.baseline
    new, words = first_seen(baseline, alert.first_event)
    question = "Is this principal new to the account?"
    if new is None:
        return Answer(question, "unknown", None, words, _first_events(baseline, lineage))
    return Answer(question, _yes_or_no(new), int(new), words, _first_events(baseline, lineage))


def _first_events(baseline: Baseline | None, lineage: RelatedPrincipals) -> Pivot | None:
    times = (baseline.principal_first, baseline.key_first) if baseline else ()
    since = max((time for time in times if time is not None), default=None)
    if since is None:
        return None
    return Pivot("its first events", lineage, since, since + 2 * SIGNAL_REACH, since)


def _from_signals(
    alert: Alert,
    question: Question,
    signals: Mapping[str, Sequence[Event]],
    lineage: RelatedPrincipals,
    own: Mapping[str, Sequence[Event]],
) -> Answer:
    pivot = msgspec.structs.replace(
        pivot_around(alert, lineage, question.text), flags=question.flags
    )
    events = _events_by_identity(signals, question.flags)
    own_events = _events_by_identity(own, question.flags) if question.counts_own else {}
    events |= own_events
    counts = Counter(event.action for event in events.values())
    named = ", ".join(
        f"{action} {count}"
        for action, count in sorted(counts.items(), key=lambda it: (-it[1], it[0]))
    )
    denied = sum(1 for event in events.values() if event.error_code)
    detail = f"{plural(len(events), 'call')}: {named}" + (f"; {denied} denied" if denied else "")
    if own_events:
        detail += f" ({len(own_events)} in this alert)"
    verdict: AnswerVerdict = "yes"
    if not events and alert.baseline is not None:
        verdict, detail = "no", f"none within ±{SIGNAL_REACH // 60} min"
    elif not events:
        verdict, detail = "unknown", "not determined yet"
    return Answer(question.text, verdict, len(events), detail, pivot)


def _events_by_identity(
    signals: Mapping[str, Sequence[Event]], flags: Iterable[str]
) -> dict[bytes, Event]:
    return {event.identity: event for flag in sorted(flags) for event in signals.get(flag, ())}


def own_signals(events: Iterable[Event], flagging: Dispatch) -> dict[str, list[Event]]:
    """Group an alert's own events by the flags that they would raise in another alert's context.

    Only the stored fields of an event are judged, not its record: flags that need a request
    parameter are not found.
    """
    signals: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        record = Record(
            event_source=event.provider,
            event_name=event.action,
            error_code=event.error_code or None,
            event_category="Management",
        )
        for flag in flags_of(event, record, flagging):
            signals[flag].append(event)
    return dict(signals)


def _regions(alert: Alert, lineage: RelatedPrincipals, fields: FieldTable) -> Answer:
    question, baseline = "Regions this account normally doesn't use?", alert.baseline
    if baseline is None or not baseline.has_enough_history(alert.first_event):
        return Answer(question, "unknown", None, first_seen(baseline, alert.first_event)[1], None)
    unused = baseline.unused_regions
    if not unused:
        return Answer(question, "no", 0, "account makes changes in all of these regions", None)
    selector = AllOf(
        (lineage, FieldSelector(((Condition(fields["cloud.region"], tuple(unused)),),)))
    )
    pivot = pivot_around(alert, selector, question)
    return Answer(question, "yes", len(unused), ", ".join(unused), pivot)


def _denied(alert: Alert) -> Answer:
    denied, codes = alert.facets.denied, ", ".join(alert.facets.error_codes)
    detail = "the call succeeded"
    if alert.event_count > 1:
        detail = f"all {alert.event_count} succeeded"
    if denied:
        detail = f"{denied} of {alert.event_count}: {codes}"
    return Answer("Were any calls denied?", _yes_or_no(denied), denied, detail, None)


def _tool(alert: Alert) -> Answer:
    tools = tool_signatures_of(alert.facets.user_agents)
    detail = "; ".join(f"{tool.name}: {tool.because}" for tool in tools) or "no match"
    return Answer(
        "Does the user agent match a known tool?", _yes_or_no(tools), len(tools), detail, None
    )


def _yes_or_no(value: object) -> AnswerVerdict:
    return "yes" if value else "no"
