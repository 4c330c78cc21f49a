"""The rows of findings; the summary of a rule, which its findings share, is stored once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from sys import intern
from typing import Any, NamedTuple

import msgspec

from detector.detection.finding import Facets, Finding, Window
from detector.ecs.values import Value
from detector.rules.rule_summary import RuleSummary
from detector.store.packing.content_id import content_id


class _Content(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A finding without its rule and without its alert id, which are stored elsewhere."""

    window: Window | None
    key: dict[str, Value]
    columns: dict[str, Value]
    event_ids: list[str]
    first_event: int
    last_event: int
    facets: Facets


class SummaryRow(NamedTuple):
    """The row of a rule's summary."""

    summary_id: int
    body: bytes

    @classmethod
    def of(cls, summary: RuleSummary) -> SummaryRow:
        """Return the row of a summary."""
        body = msgspec.msgpack.encode(summary)
        return cls(content_id(body), body)

    @classmethod
    def stored(cls, connection: sqlite3.Connection, summary: RuleSummary) -> SummaryRow:
        """Return the row of a summary, with the stored id if another process has stored it."""
        row = cls.of(summary)
        for (summary_id,) in connection.execute(
            "SELECT summary_id FROM rule_summary WHERE body = ?", (row.body,)
        ):
            row = cls(summary_id, row.body)
        return row


class PackedFinding(NamedTuple):
    """A finding as it is stored."""

    summary: SummaryRow
    content: bytes


_content_decoder = msgspec.msgpack.Decoder(_Content)


def pack_finding(finding: Finding, summary: SummaryRow | None = None) -> PackedFinding:
    """Pack a finding; ``summary`` is the row of its rule's summary, if that is known already."""
    content = _Content(
        finding.window,
        finding.key,
        finding.columns,
        finding.event_ids,
        finding.first_event,
        finding.last_event,
        finding.facets,
    )
    return PackedFinding(summary or SummaryRow.of(finding.rule), msgspec.msgpack.encode(content))


def put_findings(
    connection: sqlite3.Connection, findings: Sequence[tuple[int, PackedFinding]]
) -> None:
    """Write findings, given with the numbers of their alerts; replace the stored ones."""
    connection.executemany(
        "INSERT OR IGNORE INTO rule_summary (summary_id, body) VALUES (?, ?)",
        {packed.summary for _, packed in findings},
    )
    connection.executemany(
        "INSERT INTO alert_finding (number, summary_id, content) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET summary_id = excluded.summary_id, content = excluded.content",
        [(number, packed.summary.summary_id, packed.content) for number, packed in findings],
    )


class RuleSummaries(dict[int, RuleSummary]):
    """A cache of rule summaries by id, so that the findings of a rule share one object."""

    def read(self, query: Callable[..., list[Any]], summary_id: int) -> RuleSummary:
        """Return a summary. Raises MsgspecError if it is damaged."""
        summary = self.get(summary_id)
        if summary is None:
            rows = query("SELECT body FROM rule_summary WHERE summary_id = ?", summary_id)
            body = rows[0][0] if rows else b""
            summary = self[summary_id] = msgspec.msgpack.decode(body, type=RuleSummary)
        return summary

    def unpack(
        self, query: Callable[..., list[Any]], alert_id: str, summary_id: int, packed: bytes
    ) -> Finding:
        """Unpack the finding of an alert. Raises MsgspecError if it is damaged."""
        content = _content_decoder.decode(packed)
        _share_values(content)
        return Finding(
            alert_id,
            self.read(query, summary_id),
            content.window,
            content.key,
            content.columns,
            content.event_ids,
            content.first_event,
            content.last_event,
            content.facets,
        )


def _share_values(content: _Content) -> None:
    """Share equal values, for example regions, between findings to save memory."""
    facets = content.facets
    for values in (facets.regions, facets.accounts, facets.identity_types, facets.user_agents):
        values[:] = map(intern, values)
    for name, value in content.columns.items():
        if value == facets.regions:
            content.columns[name] = facets.regions
