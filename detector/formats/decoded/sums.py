"""Sums the groups of a chunk by the common parts of their heads, as ``sums.h`` does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from detector.formats.heads.decoded_heads import DecodedGroups
from detector.formats.heads.postings import encode_postings
from detector.formats.native.sums import (
    IS_CHANGE,
    IS_SKIPPED,
    MAY_OPEN,
    GroupSums,
    NumberedSpans,
    OriginGroups,
)

_Groups = defaultdict[int, list[int]]
"""Lists of groups, or of their records, by number."""


def sum_decoded(groups: DecodedGroups, lists_origins: bool) -> GroupSums:
    """Sum the groups of a chunk; with ``lists_origins``, also list those of each origin."""
    table, members = groups.table, groups.members
    kinds, posting_of, changed_of = table.kinds, table.posting_of, table.changed_of
    asked, refused = table.asked, table.refused
    of_origin, changed, posted = _Groups(list), _Groups(list), _Groups(list)
    asking, opening, skipped, untimed = [], [], [], []
    for group, (origin, call) in enumerate(map(table.heads.__getitem__, groups.numbers)):
        kind = kinds[call]
        table.callers.add(origin)
        if kind & MAY_OPEN:
            opening.append(group)
        else:
            posted[posting_of[origin]] += members[group]
        if kind & IS_SKIPPED:
            skipped.append(group)
        elif group >= groups.untimed:
            untimed.append(group)
        else:
            of_origin[origin].append(group)
            if kind & IS_CHANGE and changed_of[origin]:
                changed[changed_of[origin]].append(group)
            if asked[call] & ~refused[origin]:
                asking.append(group)
    observed = _Groups(list)
    for origin, own in of_origin.items():
        observed[table.observed_of[origin]] += own
    return GroupSums(
        _spans(groups, observed),
        _spans(groups, changed),
        encode_postings((table.posting_names[number], own) for number, own in posted.items()),
        asking,
        opening,
        skipped,
        _list_origins(groups, of_origin) if lists_origins else [],
        untimed,
    )


def _spans(groups: DecodedGroups, numbered: Mapping[int, list[int]]) -> NumberedSpans:
    spans = [_span(groups, own) for own in numbered.values()]
    return NumberedSpans(list(numbered), [first for first, _ in spans], [last for _, last in spans])


def _list_origins(groups: DecodedGroups, of_origin: Mapping[int, list[int]]) -> list[OriginGroups]:
    return [OriginGroups(origin, *_span(groups, own), own) for origin, own in of_origin.items()]


def _span(groups: DecodedGroups, own: list[int]) -> tuple[int, int]:
    span = groups.span(*own)
    assert span is not None  # events have times
    return span
