"""The events and regions around an alert, without reading a log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from detector.detection.baseline import RegionHistory
from detector.store import Store
from tests.detector.trail import ACCOUNT, ANA, START, call, scan, sweep, write

BO = {
    "type": "IAMUser",
    "accountId": ACCOUNT,
    "arn": f"arn:aws:iam::{ACCOUNT}:user/bo",
    "accessKeyId": "AKIABOSOWN",
}
HOUR = 3_600


def test_nearby_events_are_those_of_the_principal(tmp_path: Path) -> None:
    trail = [
        *sweep(10),
        *sweep(12, at=2 * HOUR),
        *sweep(11, at=9 * HOUR),
        *sweep(10, at=HOUR, userIdentity=BO),
    ]
    write(tmp_path, "a.json", trail)
    with closing(Store.open(None)) as store:
        scan(tmp_path, store=store)
        first = min(
            (alert for alert in store.alerts.all() if alert.principal == ANA),
            key=lambda alert: alert.first_event,
        )
        nearby = store.context.nearby_events(first.alert_id, 3 * HOUR)
        assert [event.time - START for event in nearby] == [0] * 10 + [2 * HOUR] * 12
        assert {event.arn for event in nearby} == {ANA}
        assert len(store.context.nearby_events(first.alert_id, 10 * HOUR)) == 33
        assert {
            event.time - START for event in store.context.nearby_events(first.alert_id, HOUR)
        } == {0}
        assert store.context.nearby_events("no such alert", HOUR) == []


def test_footprint_labels_regions_new_rare_or_used(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.json",
        [
            call(0, "eu-west-1", eventName="RunInstances", readOnly=False),
            call(10, "eu-west-2"),
            call(20, "eu-west-3", userIdentity=BO),
            call(30, "eu-west-2", eventName="RunInstances", readOnly=False),
        ],
    )
    with closing(Store.open(None)) as store:
        scan(tmp_path, store=store)
        footprint = store.baseline.footprint([ACCOUNT], ANA)
        assert footprint == store.baseline.footprint([], ANA)
        assert footprint == {
            "eu-west-1": RegionHistory(START, START, START),
            "eu-west-2": RegionHistory(START + 10, START + 30, START + 10),
            "eu-west-3": RegionHistory(START + 20, None, None),
        }
        assert store.baseline.footprint(["999999999999"]) == {}
    labels = {
        region: [history.label(start and START + start) for start in (5, 15, 25, 35, None)]
        for region, history in footprint.items()
    }
    assert labels == {
        "eu-west-1": ["used"] * 5,
        "eu-west-2": ["new", "unusual", "unusual", "used", "used"],
        "eu-west-3": ["new", "new", "unusual", "unusual", "unusual"],
    }
