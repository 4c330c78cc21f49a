"""Sum the groups of a chunk by what their heads have in common, as ``sums.h`` does."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate, chain

from detector.formats.heads.decoded_heads import DecodedGroups
from detector.formats.heads.postings import encode_postings
from detector.formats.native.sums import IS_CHANGE, IS_SKIPPED, MAY_OPEN, GroupSums

_NEVER = 1, 0
"""The span of no events: the first is the greater."""


def sum_decoded(groups: DecodedGroups) -> GroupSums:
    """Sum the groups of a chunk."""
    table, members = groups.table, groups.members
    kinds, posting_of = table.kinds, table.posting_of
    asked, refused = table.asked, table.refused
    of_origin: defaultdict[int, list[int]] = defaultdict(list)
    changes: defaultdict[int, list[int]] = defaultdict(list)
    posted: defaultdict[int, list[int]] = defaultdict(list)
    asking, opening, skipped, untimed = [], [], [], []
    heads = map(table.heads.__getitem__, groups.numbers)
    for group, (origin, call) in enumerate(heads):
        kind = kinds[call]
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
            if kind & IS_CHANGE:
                changes[origin].append(group)
            if asked[call] & ~refused[origin]:
                asking.append(group)
    spans = [groups.span(*own) or _NEVER for own in of_origin.values()]
    change_spans = [groups.span(*changes.get(origin, ())) or _NEVER for origin in of_origin]
    return GroupSums(
        list(of_origin),
        [first for first, _ in spans],
        [last for _, last in spans],
        [first for first, _ in change_spans],
        [last for _, last in change_spans],
        list(chain.from_iterable(of_origin.values())),
        list(accumulate(map(len, of_origin.values()))),
        encode_postings((table.posting_names[number], own) for number, own in posted.items()),
        asking,
        opening,
        skipped,
        untimed,
    )
