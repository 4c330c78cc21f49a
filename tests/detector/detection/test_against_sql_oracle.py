"""Rules of every shape, compared with plain SQL, in one scan and live."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.rules.ruleset import RuleSet
from detector.store import Store
from tests.detector.sql_oracle import ExpectedAlert, Oracle, SqlRule
from tests.detector.strategies import PRINCIPALS, Trail
from tests.detector.trail import (
    REFERENCE,
    REGIONS,
    Raw,
    call,
    document,
    lines,
    rules,
    scan,
    watch,
    write,
)

DAY = 86_400
SWEEP = SqlRule(
    "provider = 'ec2.amazonaws.com' AND action = 'DescribeInstances'",
    ("arn",),
    "count(*) >= 10 AND count(DISTINCT region) >= 10",
    30,
)
DENIED = SqlRule(
    "failed AND arn IS NOT NULL", ("arn",), "count(*) >= 4 AND count(DISTINCT region) >= 3", 360
)
LOOKED = SqlRule("action LIKE 'Describe%'", ("user", "region"), "count(*) >= 2", 600)
NEW = SqlRule("arn IS NOT NULL AND region IS NOT NULL", ("arn", "region"), "", 2 * DAY)

FILES = {
    "denied": """type = "threshold"
language = "kuery"
from = "now-6m"
query = "event.outcome: failure"
[rule.threshold]
field = ["aws.cloudtrail.user_identity.arn"]
value = 4
cardinality = [{field = "cloud.region", value = 3}]
""",
    "looked": """type = "esql"
language = "esql"
from = "now-10m"
query = '''from logs-aws.cloudtrail-* | where event.action like "Describe*"
| stats n = count(*), v = values(cloud.region) by user.id, cloud.region | where n >= 2'''
""",
    "new": """type = "new_terms"
language = "kuery"
query = "event.dataset: aws.cloudtrail"
history_window_start = "now-2d"
new_terms_fields = ["aws.cloudtrail.user_identity.arn", "cloud.region"]
""",
}


@cache
def by(mode: str) -> RuleSet:
    """The reference rule and those of ``FILES``."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            write(
                Path(folder),
                f"{name}.toml",
                f'[rule]\nrule_id = "{name}"\nname = "{name}"\n{text}'.encode(),
            )
            for name, text in FILES.items()
        ]
        made = rules(mode, *paths)
    assert not made.problems
    return made


BEGINS = (
    *(0, 59, 330, 358, 359, 360, 600),
    *(DAY, 2 * DAY - 1, 2 * DAY, 2 * DAY + 1, 3 * DAY, 4 * DAY - 1, 4 * DAY, 6 * DAY - 3),
)
"""Seconds: at the edges of the rules' windows, in up to four of the longest."""

# what comes


@st.composite
def corpora(draw: st.DrawFn) -> Trail:
    """Bursts of days: some denied, near the edges of windows, by clocks that differ between
    regions; with copies, and events that have lost their id, region or caller."""
    skew = draw(
        st.dictionaries(
            st.sampled_from(REGIONS[:4]), st.sampled_from([-31, -2, 1, 3, 31]), max_size=2
        )
    )
    records: list[Raw] = []
    for number in range(draw(st.integers(1, 5))):
        arn = draw(st.sampled_from(PRINCIPALS[:4]))
        begin = draw(st.sampled_from(BEGINS)) + 120
        pace = draw(st.sampled_from([0, 1, 1, 2, 2, 60, 200]))
        changed = draw(
            st.sampled_from(
                [
                    {},
                    {"errorCode": "AccessDenied"},
                    {"eventName": "DescribeRegions"},
                    {"recipientAccountId": "444455556666"},
                ]
            )
        )
        for place, region in enumerate(REGIONS[: draw(st.sampled_from([2, 4, 10, 11, 12]))]):
            at = begin + place * pace + skew.get(region, 0)
            records.append(call(at, region, event_id=f"{number}-{place}", arn=arn, **changed))
    for place in draw(st.sets(st.integers(0, len(records) - 1), max_size=2)):
        lost = draw(st.sampled_from(["eventID", "awsRegion", "userIdentity", "recipientAccountId"]))
        records[place] = {name: value for name, value in records[place].items() if name != lost}
    records += draw(st.lists(st.sampled_from(records), max_size=5))
    return Trail(draw(st.permutations(records)))


@st.composite
def deliveries(draw: st.DrawFn, records: Sequence[Raw]) -> list[bytes]:
    """The records, anyhow over a few files."""
    count = draw(st.integers(1, 4))
    parts: dict[int, list[Raw]] = defaultdict(list)
    for record in records:
        parts[draw(st.integers(1, count))].append(record)
    return [draw(st.sampled_from([document, lines]))(part) for part in parts.values()]


# what is found


def comparable(alerts: Sequence[Alert], rule_id: str) -> list[ExpectedAlert]:
    return sorted((_comparable(alert) for alert in alerts if alert.rule.id == rule_id), key=repr)


def _comparable(alert: Alert) -> ExpectedAlert:
    start, end = (
        (alert.window.start, alert.window.end)
        if alert.window
        else (alert.first_event, alert.first_event + 1)
    )
    counted = alert.columns.get(
        "Esql.event_count", alert.columns.get("n", alert.columns.get("threshold_result.count"))
    )
    ids = tuple(name for name in alert.event_ids if not name.startswith("sha256:"))
    return ExpectedAlert(
        tuple(alert.key.values()), start, end, counted or 1, tuple(alert.facets.regions), ids
    )  # type: ignore[arg-type]


def holds(alerts: Sequence[Alert], records: Sequence[Raw], mode: str) -> None:
    with Oracle(records) as oracle:
        sweeps = oracle.tumbling(SWEEP) if mode == "tumbling" else oracle.sliding(SWEEP)
        assert comparable(alerts, REFERENCE) == sweeps
        assert comparable(alerts, "denied") == oracle.lookback(DENIED)
        assert comparable(alerts, "looked") == oracle.lookback(LOOKED)
        firsts = oracle.firsts(NEW)
    new = comparable(alerts, "new")
    assert [(alert.key, alert.start) for alert in new] == [
        (first.key, first.start) for first in firsts
    ]
    assert all(set(alert.ids) <= set(first.ids) for alert, first in zip(new, firsts, strict=True))


@settings(max_examples=20)
@given(st.data(), corpora(), st.sampled_from(["tumbling", "sliding"]))
def test_rules_match_sql_oracle(data: st.DataObject, records: Trail, mode: str) -> None:
    files = data.draw(deliveries(records))
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        steps = [
            partial(write, Path(folder), f"{number}.json", content)
            for number, content in enumerate(files)
        ]
        live = watch(store, Path(folder), *steps, by=by(mode))
        at_once = scan(Path(folder), by=by(mode))
    holds(at_once.alerts, records, mode)
    holds(live.alerts, records, mode)
    assert live.facts == at_once.facts


def test_new_terms_flags_ignore_later_event_of_same_second(tmp_path: Path) -> None:
    """The alert is the first event's; a refused call beside it is none of the alert's calls."""
    first = call(120, "eu-west-1", event_id="0-8", arn=PRINCIPALS[0])
    beside = call(120, "eu-west-1", event_id="1-8", arn=PRINCIPALS[0], errorCode="AccessDenied")
    with closing(Store.open(None)) as store:
        steps = [
            partial(write, tmp_path, "0.json", document([first])),
            partial(write, tmp_path, "1.json", document([beside])),
        ]
        live = watch(store, tmp_path, *steps, by=by("tumbling"))
    at_once = scan(tmp_path, by=by("tumbling"))
    assert live.facts == at_once.facts
    assert [alert["flags"] for alert in at_once.facts if alert["rule"]["id"] == "new"] == [[]]
