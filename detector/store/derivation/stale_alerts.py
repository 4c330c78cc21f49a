"""The alerts whose context is stale: what it follows from."""

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
"""Events that are held at once; each takes some 0.2 kilobytes, with its id in the alert."""
_ALERT_SIZE = 32
"""Events that take as much memory as an alert without its events."""


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
) -> Iterator[StaleAlert]:
    """Read alerts by number, in the order of these."""
    for page in pages(numbers, _READ_AT_ONCE):
        for number, alert_id, summary_id, content, lineage_id, is_single, *stored in query(
            _STALE_ALERTS, json_text(list(page))
        ):
            finding = summaries.unpack(query, alert_id, summary_id, content)
            yield StaleAlert(number, finding, lineages[lineage_id], bool(is_single), *stored)


def own_calls(segment: Segment, numbers: Sequence[int]) -> Iterator[OwnCall]:
    """Return what rows of a segment are asked for."""
    return map(
        OwnCall,
        map(segment.identity, numbers),
        map(segment.other_id, numbers),
        map(segment.times.__getitem__, numbers),
        map(attrgetter("error_code"), map(segment.call, numbers)),
        map(attrgetter("user_agent"), map(segment.client, numbers)),
    )


def own_identities(alert: StaleAlert, calls: Mapping[str, Iterable[OwnCall]]) -> set[bytes]:
    """Return the identities of an alert's own events: of its only one, or of its ``calls``."""
    if alert.own_identity is not None:
        return {alert.own_identity}
    return {call.identity for call in calls[alert.finding.alert_id]}


def flagging_calls(finding: Finding, calls: Sequence[OwnCall] | None) -> Sequence[OwnCall]:
    """Return the calls from which an alert's own events raise flags, of those of its window.

    ``calls`` is None where the alert is a single event, whose facets tell all of it."""
    if calls is None:
        facets = finding.facets
        (event_id,) = finding.event_ids
        error_code, user_agent = "".join(facets.error_codes), "".join(facets.user_agents)
        return [OwnCall(identity("", event_id), None, finding.first_event, error_code, user_agent)]
    if finding.window is None:
        # Its second may hold other events, each with an alert of its own or none.
        return [call for call in calls if call.event_id in finding.event_ids]
    return calls


def alert_batches(alerts: Iterable[StaleAlert]) -> Iterator[list[StaleAlert]]:
    """Divide alerts so that each part has so few events that they fit in memory.

    A part is large all the same: its events may be in all segments, which are unpacked for it."""
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
