"""Write the answer key of the simulated trail: the README of sample_logs."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from detector.simulate.around import stories
from detector.simulate.organization import (
    ACCOUNTS,
    END,
    HOMES,
    ORGANIZATION,
    REGIONS,
    SECOND_TRAIL,
    START,
    stamp,
)
from detector.simulate.stories import OTHERS, STORIES, ExpectedAlert, Story
from detector.simulate.trail import Delivery

WINDOW = 30
"""The reference rule's window, in seconds."""


@dataclass(frozen=True)
class Totals:
    """Counts of a trail's records.

    ``duplicates`` repeat the event (account and event id) of another record; ``counted`` of these
    are calls to DescribeInstances, which the reference rule counts.
    """

    files: int
    records: int
    duplicates: int
    counted: int
    by_account: Counter[str]
    """The numbers of records by recipient account."""


def count_totals(trail: Iterable[Delivery]) -> Totals:
    files = list(trail)
    records = [
        record for file in files for record in json.loads(gzip.decompress(file.data))["Records"]
    ]
    events = {(record["recipientAccountId"], record["eventID"]): record for record in records}
    calls = Counter(record["eventName"] for record in records) - Counter(
        e["eventName"] for e in events.values()
    )
    return Totals(
        len(files),
        len(records),
        len(records) - len(events),
        calls["DescribeInstances"],
        Counter(record["recipientAccountId"] for record in records),
    )


def readme(trail: Iterable[Delivery]) -> str:
    """Return the README that accompanies the files of ``trail``."""
    return "\n".join(_lines(count_totals(trail)))


def _lines(totals: Totals) -> Iterator[str]:
    account, region = SECOND_TRAIL
    day, first, last = stamp(START, "%Y-%m-%d"), stamp(START, "%H:%M"), stamp(END, "%H:%M")
    yield f"""# A simulated organization trail

Everything here is **simulated**: accounts, people, keys, addresses and attacks do not exist. Account numbers are those
of documentation, addresses come from the ranges reserved for documentation (RFC 5737), keys end in `EXAMPLE`.
`python -m detector.simulate DIRECTORY` writes this folder, the same every time; a test holds the folder to it, and
the detector to the answers below.

The trail of organization `{ORGANIZATION}`: {len(ACCOUNTS)} accounts, {len(REGIONS)} regions, {day} from {first}
to {last} UTC, and a few calls of the twelve days before, in the paths and files in which CloudTrail delivers to S3.
Account {account} also has a trail of its own in {region}, so every file of that region is there twice, under two names.

| files | records | duplicates | of them calls to DescribeInstances |
|--:|--:|--:|--:|
| {totals.files:,} | {totals.records:,} | {totals.duplicates:,} | {totals.counted:,} |
"""
    yield from _table(
        ("account", "name", "instances in", "-records"),
        (
            (
                f"`{account}`",
                name,
                ", ".join(HOMES[account]),
                f"{totals.by_account[account]:,}",
            )
            for account, name in ACCOUNTS.items()
        ),
    )
    yield """
## What must be found

By the reference rule: one principal's calls to DescribeInstances in at least 10 regions within 30 seconds.
`trailhound scan sample_logs` uses tumbling windows, aligned to :00 and :30; with `--window sliding` any 30 seconds
count.
"""
    yield from _table(
        ("story", "principal", "-tumbling", "-sliding"),
        (
            *(
                (story.title, _principal(story), len(story.tumbling), len(story.sliding))
                for story in STORIES
            ),
            (
                "**alerts**",
                "",
                sum(len(s.tumbling) for s in STORIES),
                sum(len(s.sliding) for s in STORIES),
            ),
        ),
    )
    yield "\nEach alert:\n"
    yield from _table(
        ("story", "tumbling window", "first event", "last event", "-regions", "-events"),
        (
            (
                story.title,
                _window(story, finding),
                stamp(finding.first, "%H:%M:%SZ"),
                stamp(finding.last, "%H:%M:%SZ"),
                finding.regions,
                finding.events,
            )
            for story in STORIES
            for finding in story.sliding
        ),
    )
    yield """
## What must be found around them

For each alert: the flags of its principal within half an hour before and after, with their counts, the resulting risk,
and how often the principal's alerts recur. The logs have nothing of the stolen key and of the denied one in the days
before, so both are first seen.
"""
    yield from _table(
        ("story", "flags", "-risk", "severity", "recurrence"),
        (
            (
                story.title,
                ", ".join(f"{flag} {count}" for flag, count in around.flags.items()),
                around.score,
                around.severity,
                around.rhythm,
            )
            for story, around in stories()
        ),
    )
    yield """
## What the other rules find

The other built-in rules, which these logs are not made for, find these. First-time GetCallerIdentity fires because there
is little history:
"""
    yield from _table(
        ("rule", "principal", "-tumbling", "-sliding"),
        (
            *((each.rule, f"`{each.principal}`", each.tumbling, each.sliding) for each in OTHERS),
            (
                "**alerts**",
                "",
                sum(each.tumbling for each in OTHERS),
                sum(each.sliding for each in OTHERS),
            ),
        ),
    )
    yield "\n## The stories"
    for story in STORIES:
        yield f"\n### {story.title}\n\n{_principal(story)}\n\n{story.about}"
    yield ""


def _principal(story: Story) -> str:
    return f"`{story.principal}`" if story.principal else "no ARN"


def _window(story: Story, finding: ExpectedAlert) -> str:
    return (
        stamp(finding.first // WINDOW * WINDOW, "%H:%M:%SZ")
        if finding in story.tumbling
        else "none"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a Markdown table; a column whose head begins with ``-`` aligns right."""
    yield f"| {' | '.join(head.lstrip('-') for head in heads)} |"
    yield f"|{'|'.join('--:' if head.startswith('-') else '---' for head in heads)}|"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
