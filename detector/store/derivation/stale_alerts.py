"""The alerts whose context is stale, with the inputs from which it is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from detector.cloudtrail.record import identity, json_text
from detector.detection.correlate import OwnCall
from detector.detection.event import uuid_text
from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.store.database import pages
from detector.store.packing.finding_rows import RuleSummaries
from detector.store.packing.lineage_rows import Lineages
from detector.store.packing.segment import Segment
from detector.store.packing.state_query import StateQuery

_STALE_ALERTS = (
    "SELECT a.number, alert_id, summary_id, f.content, lineage_id, s.key = 'null', revision, told, "
    "c.content FROM json_each(?) wanted CROSS JOIN alert a ON a.number = wanted.value "
    "JOIN series s USING (series_id) "
    "CROSS JOIN alert_finding f ON f.number = a.number "
    "LEFT JOIN alert_context c ON c.number = a.number ORDER BY wanted.key"
)
_READ_AT_ONCE = 1_000
_BATCH_SIZE = 1 << 18
"""Events in memory at once; each takes some 0.2 kilobytes, including its id in the alert."""
_ALERT_SIZE = 32
"""The memory of an alert without its events, as a number of events."""


class StaleAlert(NamedTuple):
    """The inputs from which an alert's context is computed, and the stored context."""

    number: int
    finding: Finding
    related: RelatedPrincipals
    is_single: bool
    """Whether its rule has no window: it is a single event, whatever else its second holds."""
    revision: int
    told: int
    """The revision of the stored context; 0 if there is none."""
    context: bytes | None

    @property
    def own_identity(self) -> bytes | None:
        """The identity of its only event; None if its rule has a window, or the id is no UUID."""
        if not self.is_single:
            return None
        (event_id,) = self.finding.event_ids
        known = identity("", event_id)
        return known if uuid_text(known) == event_id else None


def read_stale_alerts(
    query: StateQuery, numbers: Sequence[int], lineages: Lineages, summaries: RuleSummaries
) -> Iterator[StaleAlert]:
    """Read the alerts with these numbers, in the same order."""
    for page in pages(numbers, _READ_AT_ONCE):
        for number, alert_id, summary_id, content, lineage_id, is_single, *stored in query(
            _STALE_ALERTS, json_text(list(page))
        ):
            finding = summaries.unpack(query, alert_id, summary_id, content)
            yield StaleAlert(number, finding, lineages[lineage_id], bool(is_single), *stored)


def own_calls(segment: Segment, numbers: Sequence[int]) -> Iterator[OwnCall]:
    """Return, for rows of a segment, what the context of alerts needs of their events."""
    return map(
        OwnCall,
        map(segment.identity, numbers),
        map(segment.other_id, numbers),
        map(segment.times.__getitem__, numbers),
        map(attrgetter("error_code"), map(segment.call, numbers)),
        map(attrgetter("user_agent"), map(segment.client, numbers)),
    )


def own_identities(alert: StaleAlert, calls: Mapping[str, Iterable[OwnCall]]) -> set[bytes]:
    """Return the identities of an alert's own events: its only event, or its ``calls``."""
    if alert.own_identity is not None:
        return {alert.own_identity}
    return {call.identity for call in calls[alert.finding.alert_id]}


def flagging_calls(finding: Finding, calls: Sequence[OwnCall] | None) -> Sequence[OwnCall]:
    """Return those of the ``calls`` in an alert's window that may raise flags of the alert.

    ``calls`` is None if the alert is a single event, which its facets describe completely."""
    if calls is None:
        facets = finding.facets
        (event_id,) = finding.event_ids
        error_code, user_agent = "".join(facets.error_codes), "".join(facets.user_agents)
        return [OwnCall(identity("", event_id), None, finding.first_event, error_code, user_agent)]
    if finding.window is None:
        # The same second may hold other events, with alerts of their own or none.
        return [call for call in calls if call.event_id in finding.event_ids]
    return calls


def alert_batches(alerts: Iterable[StaleAlert]) -> Iterator[list[StaleAlert]]:
    """Divide alerts into batches whose events fit in memory.

    Batches are as large as possible, since each may have to unpack all segments for its events."""
    batch: list[StaleAlert] = []
    size = 0
    for alert in alerts:
        batch.append(alert)
        size += _ALERT_SIZE + len(alert.finding.event_ids)
        if size >= _BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
