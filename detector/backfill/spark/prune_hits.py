"""The second step on the cluster: merge copies of events, and drop hits that no alert needs.

The hits that are kept must give the same alerts as all hits: each series is checked, and if the
alerts differ, all of its hits are kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import msgspec

from detector.backfill.spans import Span
from detector.backfill.spark.rows import SeriesCell, StepRow, decode_cell, decode_event, encode_body
from detector.detection.derive import derive, max_gap
from detector.detection.event import KeptEvent, Series, inputs_at, unite_events
from detector.detection.window import Hit
from detector.formats.native.columns import IDENTITY
from detector.rules.rule import Rule
from detector.rules.ruleset import RuleSet
from detector.sources.day_folder import folder_above

_CELL_SECONDS = 6 * 3600
"""Approximate seconds per cell, if windows do not affect each other."""
_WHOLE = -1
"""The cell of a series in which any hits may affect each other."""


def unite_hits(rows: Iterable[StepRow], rules: RuleSet, prunable: Span | None) -> Iterator[StepRow]:
    """Yield each event once, and for each folder its number of distinct hits.

    ``prunable`` is the span of event times whose hits may be dropped; if given, events become rows
    of their series.
    """
    events: dict[bytes, KeptEvent] = {}
    for row in rows:
        event = decode_event(row.body)
        present = events.get(row.key)
        events[row.key] = event if present is None else unite_events(row.key, present, event)
    standing: Counter[str] = Counter()
    for identity, event in events.items():
        folder = folder_above(event.position.source)
        standing[folder] += 1
        if prunable is None or event.stale or _stands_alone(event):
            yield StepRow("hit", folder, identity, event.time, event.time, encode_body(event))
        if prunable is not None:
            yield from _series_rows(folder, identity, event, rules)
    for folder, count in standing.items():
        yield StepRow("standing", folder, b"", count, count, b"")


def prune_hits(rows: Iterable[StepRow], rules: RuleSet, prunable: Span) -> Iterator[StepRow]:
    """Yield the hits of one series and cell that alerts need, or that are not prunable."""
    hits: list[Hit] = []
    has_stale = False
    key = b""
    for row in rows:
        if row.key != key:
            key, cell = row.key, decode_cell(row.key)
        event = decode_event(row.body[IDENTITY:])
        has_stale = has_stale or bool(event.stale)
        for series, inputs in event.matches:
            if series == cell.series:
                timed = inputs_at(inputs, event.time, event.region)
                hits.append(Hit(event.time, row.body[:IDENTITY], timed, event))
    if not hits:
        return
    hits.sort(key=lambda hit: hit[:2])
    rule = rules.get(cell.series.rule_id)
    kept: Sequence[Hit] = hits
    if rule is not None and not has_stale:
        kept = _needed(rule, rules, cell.series, hits, prunable)
    for time, identity, _, event in kept:
        matches = tuple(match for match in event.matches if match[0] == cell.series)
        alone = msgspec.structs.replace(event, matches=matches, stale=())
        folder = folder_above(event.position.source)
        yield StepRow("hit", folder, identity, time, time, encode_body(alone))


def prunable_span(rules: RuleSet, loaded: Span, late: int) -> Span | None:
    """Return the span of event times whose alerts no further event can change; None if empty.

    At both ends of ``loaded``, windows may continue in files that are not loaded; in the last
    ``late`` seconds, events may still be delivered."""
    margin = 2 * rules.longest_window
    start, end = loaded.start + margin, loaded.end - margin - late
    if start >= end:
        return None
    return Span(start, end)


def _stands_alone(event: KeptEvent) -> bool:
    """Tell whether an event is an alert on its own, of a rule without a window."""
    return any(series.key is None for series, _ in event.matches)


def _series_rows(
    folder: str, identity: bytes, event: KeptEvent, rules: RuleSet
) -> Iterator[StepRow]:
    by_time = ((event.time, event.matches), *event.stale)
    for series in {series for _, matches in by_time for series, _ in matches}:
        if series.key is None:
            continue
        rule = rules.get(series.rule_id)
        cell = SeriesCell(series, _WHOLE)
        if rule is not None:
            cell = SeriesCell(series, _cell(rule, rules, event.time))
        body = identity + encode_body(event)
        yield StepRow("series", folder, encode_body(cell), event.time, event.time, body)


def _cell(rule: Rule, rules: RuleSet, time: int) -> int:
    width = rule.query.window or 1
    if rule.query.shape == "terms" or max_gap(rule, rules.mode):
        return _WHOLE
    return time // (width * max(1, _CELL_SECONDS // width))


def _needed(
    rule: Rule, rules: RuleSet, series: Series, hits: Sequence[Hit], prunable: Span
) -> Sequence[Hit]:
    """Return the hits that give the same alerts as all, and those that are not prunable."""
    key = series.key or ()
    alerts = list(derive(rule, rules.mode, key, hits))
    width = rule.query.window or 1
    extents = [alert.extent for alert in alerts]
    if rule.query.shape == "terms":
        # Other hits in the same second as an alert count as the alert's own.
        near = [*_run_ends(hits, width), *_within(sorted(extents), hits)]
    else:
        margin = 2 * max_gap(rule, rules.mode)
        spans = (
            (start - start % width - margin, end + width - 1 - (end - 1) % width + margin)
            for start, end in extents
        )
        near = list(_within(sorted(spans), hits))
    chosen = {hit.identity for hit in near}
    kept = [
        hit
        for hit in hits
        if hit.identity in chosen or not prunable.start <= hit.time < prunable.end
    ]
    if list(derive(rule, rules.mode, key, kept)) != alerts:
        return hits
    return kept


def _within(spans: Sequence[tuple[int, int]], hits: Iterable[Hit]) -> Iterator[Hit]:
    """Yield the hits in any of the spans, which are sorted and may overlap."""
    starts = [start for start, _ in spans]
    latest = list(accumulate((end for _, end in spans), max))
    for hit in hits:
        before = bisect_right(starts, hit.time)
        if before and hit.time < latest[before - 1]:
            yield hit


def _run_ends(hits: Sequence[Hit], history: int) -> list[Hit]:
    """Return the first and last hit of each run, and enough between for gaps below ``history``."""
    kept: list[Hit] = []
    for index, hit in enumerate(hits):
        following = hits[index + 1].time if index + 1 < len(hits) else 1 << 62
        if not kept or following - kept[-1].time >= history:
            kept.append(hit)
    return kept
