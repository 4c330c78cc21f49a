"""Time bounds change no alert within them, and are reported."""

from __future__ import annotations

import gzip
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.detection.correlate import SIGNAL_REACH
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import RuleSet
from detector.sources.directory import Directory
from detector.sources.time_bounds import SLACK, BoundedSource, Bounds
from detector.store import Store
from tests.commandline.cli import Cli
from tests.detector.trail import ACCOUNT, REFERENCE_FILE, REGIONS, START, Raw, call, document, rules

DAY = 86_400
FLAGS = REFERENCE_FILE.with_name("flags")
HUNT = (FLAGS / "snapshot.toml",)


def test_rules_of_these_tests_exist() -> None:
    assert {rule.flag for rule in rules("tumbling", *HUNT)} == {None, "snapshot"}


class Burst(NamedTuple):
    """A principal's sweep, and a snapshot after it.

    ``seconds`` is the sweep's time, ``after`` the seconds to the snapshot, ``late`` the delay of
    each file after the first event in it.
    """

    seconds: int
    after: int
    late: tuple[int, int, int]

    def files(self, number: int) -> list[tuple[int, list[Raw]]]:
        """Return the label and records of each file.

        They are half of the sweep, its other half, and the snapshot.
        """
        arn = f"arn:aws:iam::{ACCOUNT}:user/u{number}"
        calls = [
            call_at(self.seconds + index, region, arn) for index, region in enumerate(REGIONS[:12])
        ]
        snapshot = call_at(self.seconds + self.after, "us-east-1", arn, eventName="CreateSnapshot")
        parts = (calls[:6], calls[6:], [snapshot])
        times = (self.seconds, self.seconds, self.seconds + self.after)
        return [
            (START + seconds + late, part)
            for seconds, late, part in zip(times, self.late, parts, strict=True)
        ]


def call_at(seconds: int, region: str, arn: str, **changed: str) -> Raw:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + seconds))
    return call(0, region, f"{arn}/{seconds}/{region}/{changed}", arn, eventTime=when, **changed)


def put(folder: Path, bursts: list[Burst]) -> None:
    for number, burst in enumerate(bursts):
        for part, (label, records) in enumerate(burst.files(number)):
            name = time.strftime("%Y%m%dT%H%MZ", time.gmtime(label))
            path = folder / f"{ACCOUNT}_CloudTrail_us-east-1_{name}_{number:08}{part:08}.json.gz"
            path.write_bytes(gzip.compress(document(records), 1))


def scan_within(
    store: Store, by: RuleSet, source: Directory | BoundedSource, bounds: Bounds
) -> list[object]:
    """Scan once more, and return the alerts that touch the bounds."""
    Pipeline(store, by, source, jobs=1).scan(lambda _: None)
    assert bounds.since is not None and bounds.until is not None
    return [
        _facts(alert)
        for alert in store.alerts.all()
        if bounds.since <= alert.last_event and alert.first_event < bounds.until
    ]


def _facts(alert: Alert) -> object:
    return (
        alert.alert_id,
        alert.event_ids,
        alert.columns,
        [flag for flag in alert.flags if flag.flag == "snapshot"],
    )


# A file comes some minutes before its label to a day after its events; snapshots may be just in
# reach, or beyond it.
late = st.sampled_from([-300, 0, 600, DAY - 3600, SLACK - 1])
after = st.sampled_from([-SIGNAL_REACH, 60, SIGNAL_REACH, SIGNAL_REACH + 60])
bursts = st.builds(Burst, st.integers(0, 4 * DAY), after, st.tuples(late, late, late))
near = st.sampled_from([-DAY, -60, -1, 0, 11, 12, 60, DAY])
"""Seconds from a burst to a bound."""


@example([Burst(0, 60, (0, 0, 0))], 11, DAY)  # a bound within a sweep
@example([Burst(0, 60, (0, 0, 0))], -DAY, 1)
@example([Burst(0, 60, (0, 0, 0)), Burst(1861, -1800, (0, 0, SLACK - 1))], -DAY, 11)
@given(st.lists(bursts, min_size=1, max_size=6), near, near)
@settings(max_examples=12)
def test_bounds_change_no_alert_within(made: list[Burst], first: int, last: int) -> None:
    by = rules("tumbling", *HUNT)
    bounds = Bounds(
        START + made[0].seconds + first,
        START + made[-1].seconds + last,
        by.longest_window + SIGNAL_REACH,
    )
    with (
        tempfile.TemporaryDirectory() as name,
        closing(Store.open(None)) as whole,
        closing(Store.open(None)) as bounded,
        closing(Store.open(None)) as reread,
    ):
        folder = Path(name)
        put(folder, made)
        expected = scan_within(whole, by, Directory([folder]), bounds)
        assert (
            scan_within(bounded, by, BoundedSource(Directory([folder]), bounds, {}), bounds)
            == expected
        )
        # Read by another rule before: now the spans of what was read are known as well.
        scan_within(
            reread,
            by.without([rule.rule_id for rule in by if rule.alerts]),
            Directory([folder]),
            bounds,
        )
        known = BoundedSource(Directory([folder]), bounds, reread.files.read_to_end())
        assert scan_within(reread, by, known, bounds) == expected
        # What was left unread is due still, once the bounds are gone.
        assert scan_within(reread, by, Directory([folder]), bounds) == expected
        assert len(reread.alerts.all()) == len(whole.alerts.all())


@pytest.mark.parametrize("command", ["scan", "pivot"])
def test_command_reports_excluded_files(command: str, tmp_path: Path, cli: Cli) -> None:
    logs, state = tmp_path / "logs", tmp_path / "hunt.db"
    logs.mkdir()
    # Of this time; delivered long before; delivered at this time, with events of a day earlier.
    put(
        logs,
        [
            Burst(2 * DAY, 60, (300, 300, 300)),
            Burst(0, 60, (300,) * 3),
            Burst(DAY, 60, (DAY - 60,) * 3),
        ],
    )
    assert cli("scan", logs, "--db", state, "--no-builtin", "--rules", FLAGS).status == 0
    asked = {
        "scan": ("--since", "2026-03-03T09:30:00Z", "--until", "2026-03-03T11:00:00Z"),
        "pivot": (
            "--principal",
            f"arn:aws:iam::{ACCOUNT}:user/u0",
            "--around",
            "2026-03-03T10:00:00Z",
        ),
    }[command]
    stderr = cli(command, logs, "--db", state, *asked).err
    assert "not read: 3 files (0.0 MB) delivered outside of the time asked for" in stderr
    assert (
        "not read: 3 files (0.0 MB) read before, and without events of the time asked for" in stderr
    )


def test_changed_file_is_read_despite_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "calls.json"
    path.write_bytes(document([call_at(0, "us-east-1", "arn")]))
    bounds, by = Bounds(START + DAY, START + 2 * DAY), rules()
    with closing(Store.open(None)) as store:
        scan_within(store, by, Directory([tmp_path]), bounds)
        path.write_bytes(document([call_at(DAY, "us-east-1", "arn")]))
        scan_within(
            store,
            by,
            BoundedSource(Directory([tmp_path]), bounds, store.files.read_to_end()),
            bounds,
        )
        assert store.files.accounting().records_seen == 2
