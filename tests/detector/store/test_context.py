"""What the state tells around an alert without reading a log: its principal's other calls, and the regions in use."""

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


def test_the_principals_other_alerts_within_reach_each_event_once(tmp_path: Path) -> None:
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
        near = store.context.nearby_events(first.alert_id, 3 * HOUR)
        assert [event.time - START for event in near] == [0] * 10 + [2 * HOUR] * 12
        assert {event.arn for event in near} == {ANA}
        assert len(store.context.nearby_events(first.alert_id, 10 * HOUR)) == 33
        assert {
            event.time - START for event in store.context.nearby_events(first.alert_id, HOUR)
        } == {0}
        assert store.context.nearby_events("no such alert", HOUR) == []


def test_a_region_is_new_rare_or_used_by_what_was_there_before(tmp_path: Path) -> None:
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
        found = store.baseline.footprint([ACCOUNT], ANA)
        assert found == store.baseline.footprint([], ANA)
        assert found == {
            "eu-west-1": RegionHistory(START, START, START),
            "eu-west-2": RegionHistory(START + 10, START + 30, START + 10),
            "eu-west-3": RegionHistory(START + 20, None, None),
        }
        assert store.baseline.footprint(["999999999999"]) == {}
    words = {
        region: [footing.label(start and START + start) for start in (5, 15, 25, 35, None)]
        for region, footing in found.items()
    }
    assert words == {
        "eu-west-1": ["used"] * 5,
        "eu-west-2": ["new", "rare", "rare", "used", "used"],
        "eu-west-3": ["new", "new", "rare", "rare", "rare"],
    }
