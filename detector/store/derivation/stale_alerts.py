"""The alerts whose context is stale: what it follows from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from detector.cloudtrail.record import identity, json_text
from detector.detection.correlate import OwnCall
from detector.detection.event import uuid_text
from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.store.packing.finding_rows import RuleSummaries
from detector.store.packing.lineage_rows import Lineages
from detector.store.segments.segment_table import StateQuery
from detector.store.window_table import SegmentRow

_STALE_ALERTS = (
    "SELECT a.number, alert_id, summary_id, f.content, lineage_id, s.key = 'null', revision, told, "
    "c.content FROM json_each(?) wanted CROSS JOIN alert a ON a.number = wanted.value "
    "JOIN series s USING (series_id) "
    "CROSS JOIN alert_finding f ON f.number = a.number "
    "LEFT JOIN alert_context c ON c.number = a.number ORDER BY wanted.key"
)


class StaleAlert(NamedTuple):
    """What the context of an alert follows from, and the stored one."""

    number: int
    finding: Finding
    related: RelatedPrincipals
    is_single: bool
    """Whether its rule has no window: it is one event, whatever else its second holds."""
    revision: int
    told: int
    """The revision of the stored context; 0: none."""
    context: bytes | None

    @property
    def own_identity(self) -> bytes | None:
        """The identity of its only event, where its id tells it."""
        if not self.is_single:
            return None
        (event_id,) = self.finding.event_ids
        known = identity("", event_id)
        return known if uuid_text(known) == event_id else None


def read_stale_alerts(
    query: StateQuery, numbers: Sequence[int], lineages: Lineages, summaries: RuleSummaries
) -> list[StaleAlert]:
    """Read alerts by number, in the order of these."""
    alerts = []
    for number, alert_id, summary_id, content, lineage_id, is_single, *stored in query(
        _STALE_ALERTS, json_text(list(numbers))
    ):
        finding = summaries.unpack(query, alert_id, summary_id, content)
        alerts.append(StaleAlert(number, finding, lineages[lineage_id], bool(is_single), *stored))
    return alerts


def own_identities(
    known: bytes | None, own: Mapping[str, Iterable[SegmentRow]], alert_id: str
) -> set[bytes]:
    """Return the identities of an alert's events: of the one that is known, or of its rows."""
    if known is not None:
        return {known}
    return {segment.identity(number) for segment, number in own[alert_id]}


def own_calls(finding: Finding, rows: Iterable[SegmentRow] | None) -> list[OwnCall]:
    """Return the calls from which an alert's own events raise flags.

    ``rows`` is None where the alert is a single event, whose facets tell all of it."""
    if rows is None:
        facets = finding.facets
        error_code, user_agent = "".join(facets.error_codes), "".join(facets.user_agents)
        return [OwnCall(finding.first_event, error_code, user_agent)]
    if finding.window is None:
        # Its second may hold other events, each with an alert of its own or none.
        rows = [row for row in rows if row.segment.event_id(row.number) in finding.event_ids]
    return [
        OwnCall(
            segment.times[number],
            segment.call(number).error_code,
            segment.client(number).user_agent,
        )
        for segment, number in rows
    ]
