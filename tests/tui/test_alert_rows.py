"""Rows of the list of alerts, updated and from scratch."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.detection.sweeps import group_recurring, group_sweeps
from tests.detector.alerts import changed_alert
from tests.tui.build import alert
from tui.concurrency.job import Cancelled, Job
from tui.presentation.format import principal
from tui.screens.alerts.columns import NEWEST_FIRST, ORDERS, AlertOrder
from tui.screens.alerts.rows import AlertRowBuilder, AlertRows, RowQuery
from tui.screens.alerts.sweep_groups import FoldState

SEVERITIES = ("low", "medium", "high")


def random_alert(random_: random.Random, name: str) -> Alert:
    """Return an alert of one of few users.

    Some of them share a key; they often recur.
    """
    user = random_.randrange(5)
    keys = [f"AKIA{random_.choice([user, 9])}"] if random_.random() < 0.7 else []
    return alert(
        name,
        at=1800 * random_.randrange(40) + random_.choice([0, 0, 60]),
        severity=random_.choice(SEVERITIES),
        arns=[f"arn:aws:iam::111122223333:user/u{user}"] if random_.random() < 0.9 else [],
        access_keys=keys,
        status=random_.choice(["open", "open", "closed"]),
        revision=random_.randrange(1, 9),
    )


def is_open(alert: Alert) -> bool:
    return alert.status == "open"


def is_high(alert: Alert) -> bool:
    return alert.severity == "high"


def rows_from_scratch(
    alerts: Sequence[Alert], filtered: bool, folds: FoldState, order: AlertOrder, reverse: bool
) -> list[str]:
    """Return the ids of the rows, built in one go."""
    matching = [each for each in alerts if is_open(each) and (not filtered or is_high(each))]
    rows = []
    for series in group_recurring(group_sweeps(matching)):
        members = [each for sweep in series.sweeps for each in sweep.alerts]
        folded = len(members) > 1 and folds.unfolded is (members[0].alert_id in folds.exceptions)
        rows += [series.sweeps[-1].worst] if folded else members
    rows.sort(key=lambda row: (row.first_event, row.alert_id), reverse=True)
    rows.sort(key=order.sort_key, reverse=order.descending is not reverse)
    if order is NEWEST_FIRST:
        rows.sort(key=lambda row: (row.first_event, row.alert_id), reverse=not reverse)
        if reverse:  # equals stay newest first
            rows.sort(key=lambda row: row.alert_id, reverse=True)
            rows.sort(key=lambda row: row.first_event)
    return [row.alert_id for row in rows]


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_updated_rows_equal_rows_from_scratch(random_: random.Random) -> None:
    builder, alerts, folds = AlertRowBuilder(), dict[str, Alert](), FoldState()
    filtered, order, reverse, rows = False, ORDERS[0], False, None
    for step in range(15):
        for _ in range(random_.randrange(12)):
            name = random_.choice([f"a{step}-{random_.randrange(99)}", *alerts])
            alerts[name] = random_alert(random_, name)
        for name in random_.sample(sorted(alerts), random_.randrange(len(alerts) + 1) // 4):
            del alerts[name]
        filtered = filtered is (random_.random() < 0.8)
        order, reverse = random_.choice(ORDERS), random_.random() < 0.3
        if rows is not None and rows.groups and random_.random() < 0.5:
            folds = random_.choice(
                [
                    folds.toggle_all(),
                    folds.toggle(random_.choice(sorted(rows.groups.values(), key=str))),
                ]
            )
        query = RowQuery(
            dict(alerts), is_open, is_high if filtered else None, folds, order, reverse
        )
        if random_.random() < 0.2:
            cancel(builder, query, after=random_.randrange(4))
        rows = builder.build(query, Job())
        assert [row.alert_id for row in rows.rows] == rows_from_scratch(
            list(alerts.values()), filtered, folds, order, reverse
        )
        assert list(rows.keys) == [rows.key(row) for row in rows.rows]
        assert len(set(rows.keys)) == len(rows.keys)
        assert sorted(each.alert_id for row in rows.rows for each in rows.members(row)) == sorted(
            rows.matching
        )
        assert all(rows.matching[name] is alerts[name] for name in rows.matching)
        assert (len(rows.shown), rows.total) == (sum(map(is_open, alerts.values())), len(alerts))


def test_clearing_filter_groups_filtered_and_new_alerts() -> None:
    builder, folds = AlertRowBuilder(), FoldState()
    alerts = [
        alert(name, at=60 * index, severity=severity)
        for index, (name, severity) in enumerate([("a", "high"), ("b", "low"), ("c", "high")])
    ]

    def rows(filtered: bool) -> list[str]:
        built = builder.build(
            RowQuery(
                {each.alert_id: each for each in alerts},
                is_open,
                is_high if filtered else None,
                folds,
                NEWEST_FIRST,
                False,
            ),
            Job(),
        )
        return [each.alert_id for row in built.rows for each in built.members(row)]

    assert (rows(False), rows(True)) == (["a", "b", "c"], ["a", "c"])
    alerts.append(alert("d", at=200))
    assert rows(True) == ["a", "c"]
    assert rows(False) == ["a", "b", "c", "d"]


def cancel(builder: AlertRowBuilder, query: RowQuery, after: int) -> None:
    """Start a build and cancel it after a given number of checks."""

    class AbandonedJob(Job):
        checks = 0

        @property
        def cancelled(self) -> bool:
            return self.checks > after

        def each(self, items):  # type: ignore[no-untyped-def]
            self.checks += 1
            if self.cancelled:
                raise Cancelled
            yield from items

    with contextlib.suppress(Cancelled):
        builder.build(query, AbandonedJob())


def test_held_rows_keep_order_and_show_changes() -> None:
    builder = AlertRowBuilder()

    def rows(alerts: Sequence[Alert], held_keys: Sequence[str] | None = None) -> AlertRows:
        return builder.build(
            RowQuery(
                {each.alert_id: each for each in alerts},
                is_open,
                None,
                FoldState(True),
                ORDERS[6],
                False,
                held_keys,
            ),
            Job(),
        )

    first, second, third = (
        alert(name, at=9000 * index, arns=[f"arn:aws:iam::1:user/{name}"])
        for index, name in enumerate("bcd")
    )
    before = rows([first, second, third])
    assert [principal(row) for row in before.rows] == ["user/b in 1", "user/c in 1", "user/d in 1"]
    facets = msgspec.structs.replace(second.facets, arns=["arn:aws:iam::1:user/z"])
    changed = changed_alert(second, facets=facets)
    now = rows([first, changed, alert("a", arns=["arn:aws:iam::1:user/a"])], before.keys)
    assert [principal(row) for row in now.rows] == ["user/b in 1", "user/z in 1"], (
        "it would come last if it were sorted again"
    )
    assert (now.held_back, now.is_held) == (1, True)
