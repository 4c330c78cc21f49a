"""The rows of the list of alerts, put together again as alerts come and go: what one would get from scratch."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.detection.sweeps import group_recurring, group_sweeps
from tests.tui.build import alert
from tui.concurrency.job import Cancelled, Job
from tui.presentation.format import principal
from tui.screens.alerts.columns import ORDERS, Order
from tui.screens.alerts.rows import AlertArranger, AlertRows, Wanted
from tui.screens.alerts.sweep_groups import FoldState

SEVERITIES = ("low", "medium", "high")


def one(chance: random.Random, name: str) -> Alert:
    """By one of few users, some of whom share a key; often in a rhythm."""
    user = chance.randrange(5)
    keys = [f"AKIA{chance.choice([user, 9])}"] if chance.random() < 0.7 else []
    return alert(
        name,
        at=1800 * chance.randrange(40) + chance.choice([0, 0, 60]),
        severity=chance.choice(SEVERITIES),
        arns=[f"arn:aws:iam::111122223333:user/u{user}"] if chance.random() < 0.9 else [],
        access_keys=keys,
        status=chance.choice(["open", "open", "closed"]),
        revision=chance.randrange(1, 9),
    )


def is_open(alert: Alert) -> bool:
    return alert.status == "open"


def is_high(alert: Alert) -> bool:
    return alert.severity == "high"


def plainly(
    alerts: Sequence[Alert], filtered: bool, folds: FoldState, order: Order, reverse: bool
) -> list[str]:
    """The ids of the rows, all of it at once."""
    through = [each for each in alerts if is_open(each) and (not filtered or is_high(each))]
    rows = []
    for together in group_recurring(group_sweeps(through)):
        members = [each for sweep in together.sweeps for each in sweep.alerts]
        folded = len(members) > 1 and folds.unfolded is (members[0].alert_id in folds.turned)
        rows += [together.sweeps[-1].worst] if folded else members
    rows.sort(key=lambda row: (row.first_event, row.alert_id), reverse=True)
    rows.sort(key=order.by, reverse=order.descending is not reverse)
    if order is ORDERS[0]:
        rows.sort(key=lambda row: (row.first_event, row.alert_id), reverse=not reverse)
        if reverse:  # equals stay newest first
            rows.sort(key=lambda row: row.alert_id, reverse=True)
            rows.sort(key=lambda row: row.first_event)
    return [row.alert_id for row in rows]


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_whatever_comes_and_goes_they_are_what_they_are_from_scratch(chance: random.Random) -> None:
    arranger, alerts, folds = AlertArranger(), dict[str, Alert](), FoldState()
    filtered, order, reverse, rows = False, ORDERS[0], False, None
    for step in range(15):
        for _ in range(chance.randrange(12)):
            name = chance.choice([f"a{step}-{chance.randrange(99)}", *alerts])
            alerts[name] = one(chance, name)
        for name in chance.sample(sorted(alerts), chance.randrange(len(alerts) + 1) // 4):
            del alerts[name]
        filtered = filtered is (chance.random() < 0.8)
        order, reverse = chance.choice(ORDERS), chance.random() < 0.3
        if rows is not None and rows.of and chance.random() < 0.5:
            folds = chance.choice(
                [folds.turn_all(), folds.turn(chance.choice(sorted(rows.of.values(), key=str)))]
            )
        wanted = Wanted(dict(alerts), is_open, is_high if filtered else None, folds, order, reverse)
        if chance.random() < 0.2:
            cancel(arranger, wanted, after=chance.randrange(4))
        rows = arranger.arrange(wanted, Job())
        assert [row.alert_id for row in rows.rows] == plainly(
            list(alerts.values()), filtered, folds, order, reverse
        )
        assert list(rows.keys) == [rows.key(row) for row in rows.rows]
        assert len(set(rows.keys)) == len(rows.keys)
        assert sorted(each.alert_id for row in rows.rows for each in rows.members(row)) == sorted(
            rows.matching
        )
        assert all(rows.matching[name] is alerts[name] for name in rows.matching)
        assert (len(rows.shown), rows.total) == (sum(map(is_open, alerts.values())), len(alerts))


def test_what_a_filter_took_away_is_one_row_again_with_what_comes_later() -> None:
    arranger, folds = AlertArranger(), FoldState()
    alerts = [
        alert(name, at=60 * place, severity=severity)
        for place, (name, severity) in enumerate([("a", "high"), ("b", "low"), ("c", "high")])
    ]

    def rows(filtered: bool) -> list[str]:
        found = arranger.arrange(
            Wanted(
                {each.alert_id: each for each in alerts},
                is_open,
                is_high if filtered else None,
                folds,
                ORDERS[0],
                False,
            ),
            Job(),
        )
        return [each.alert_id for row in found.rows for each in found.members(row)]

    assert (rows(False), rows(True)) == (["a", "b", "c"], ["a", "c"])
    alerts.append(alert("d", at=200))
    assert rows(True) == ["a", "c"]
    assert rows(False) == ["a", "b", "c", "d"]


def cancel(arranger: AlertArranger, wanted: Wanted, after: int) -> None:
    """Ask for rows, and want them no more ``after`` so many looks at whether they are."""

    class Fickle(Job):
        looks = 0

        @property
        def cancelled(self) -> bool:
            return self.looks > after

        def each(self, items):  # type: ignore[no-untyped-def]
            self.looks += 1
            if self.cancelled:
                raise Cancelled
            yield from items

    with contextlib.suppress(Cancelled):
        arranger.arrange(wanted, Fickle())


def test_held_rows_stay_in_their_order_with_what_is_new_in_them() -> None:
    arranger = AlertArranger()

    def rows(alerts: Sequence[Alert], held: Sequence[str] | None = None) -> AlertRows:
        return arranger.arrange(
            Wanted(
                {each.alert_id: each for each in alerts},
                is_open,
                None,
                FoldState(True),
                ORDERS[6],
                False,
                held,
            ),
            Job(),
        )

    first, second, third = (
        alert(name, at=9000 * place, arns=[f"arn:aws:iam::1:user/{name}"])
        for place, name in enumerate("bcd")
    )
    before = rows([first, second, third])
    assert [principal(row) for row in before.rows] == ["user/b", "user/c", "user/d"]
    facets = msgspec.structs.replace(second.facets, arns=["arn:aws:iam::1:user/z"])
    changed = msgspec.structs.replace(second, facets=facets)
    now = rows([first, changed, alert("a", arns=["arn:aws:iam::1:user/a"])], before.keys)
    assert [principal(row) for row in now.rows] == ["user/b", "user/z"], (
        "it would come last if it were sorted again"
    )
    assert (now.unseen, now.held) == (1, True)
