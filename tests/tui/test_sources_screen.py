"""The sources screen: what came from where, freshness, gaps, quarantine."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.detection.alert import Alert
from detector.detection.log_integrity import INTEGRITY_RULES
from detector.ingest.pipeline import Pipeline
from detector.sources import s3_objects
from detector.sources.directory import Directory
from detector.store import Feed as Bridge
from tests.detector.formats import forms
from tests.detector.store.test_completeness import Trail
from tests.detector.trail import write
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.goldens import compare
from tests.tui.stage import Feed, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.keymap import screen_entries
from tui.screens.admin.source_rows import SourceRow, byte_size
from tui.screens.admin.sources import SourcesScreen
from tui.screens.base.fact_list import FactList
from tui.widgets.row_list import RowList

HOUR = 3600.0


class Reconsidering(Feed):
    """A pipeline that reads nothing, and counts how often it was told to look at the quarantine
    again."""

    times = 0

    def recheck_quarantine(self) -> None:
        self.times += 1


@pytest.fixture(autouse=True)
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is asked as often as something changes; no bucket has been read from, as far as the
    screen knows."""
    monkeypatch.setattr("tui.screens.base.store_list._REST", 0)
    monkeypatch.setattr(s3_objects, "usage", s3_objects.Usage())


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    """Beside the trail of the stage, one that digests name: a file of it is altered, one is gone;
    and two bad files."""
    made = Hunt(tmp_path / "org")
    made.feed = Reconsidering(made.feed._first)
    trail = Trail(tmp_path / "org/bucket")
    trail.files[2].write_bytes(gzip.compress(forms.document(forms.sweep(2)[:-1])))
    trail.files[7].unlink()
    write(tmp_path, "org/trail/cut.json", b'{"Records": [')
    write(tmp_path, "org/trail/odd.json.gz", b"\x1f\x8b\x08\x00odd")
    read(made, tmp_path)
    made.clock.now += HOUR / 2
    return made


def read(hunt: Hunt, folder: Path) -> None:
    Pipeline(hunt.store, hunt.rules, Directory([folder]), 1, clock=hunt.clock).scan(
        lambda update: None
    )
    hunt.clock.now += 2 * HOUR  # digests are believed by now
    hunt.feed._first = hunt.update(accounting=hunt.store.files.accounting())


async def opened(app: HuntApp, pilot: Pilot[None], *keys: str) -> RowList[SourceRow]:
    await press(pilot, "6")
    assert isinstance(app.screen, SourcesScreen)
    rows: RowList[SourceRow] = app.screen.row_list
    await until(pilot, lambda: bool(rows.rows))
    await press(pilot, *keys)
    return rows


def entry(app: HuntApp) -> str:
    """What is shown of the row, without its breaks."""
    return " ".join(str(app.screen.query_one("#entry", FactList).render()).split())


def play(hunt: Hunt, journey: Callable[[HuntApp, Pilot[None]], object], **given: object) -> None:
    hunt.play(journey, size=(160, 48), **given)  # type: ignore[arg-type]


def test_problems_are_listed_first(hunt: Hunt, tmp_path: Path) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot)
        assert [(row.kind, row.state) for row in rows.rows] == [
            ("all", ""),
            ("digest", "modified"),
            ("digest", "missing"),
            ("file", "error"),
            ("file", "error"),
            ("source", "read"),
            ("source", "read"),
            ("region", "quiet"),
        ]
        bucket, trail = (row for row in rows.rows if row.kind == "source")
        assert (bucket.what, bucket.files) == (str(tmp_path / "org/bucket/AWSLogs"), 14)
        assert (trail.what, trail.files) == (str(tmp_path / "org/trail"), 3)
        assert "quarantined: truncated-json" in entry(app)

    play(hunt, journey)


def test_modified_file_names_its_digest(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j")
        assert "CloudTrail log file modified, critical 99" in entry(app)
        assert "does not match its digest" in entry(app)
        await press(pilot, "j")
        assert "CloudTrail log file missing, high 73" in entry(app)

    play(hunt, journey)


def test_region_is_quiet_with_digests_and_silent_without(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "G")
        assert "quiet: digests still arrive" in entry(app)
        assert "every 15 m" in entry(app)
        hunt.clock.now += 2 * HOUR
        app.changed.publish(None)
        await until(pilot, lambda: any(row.state == "silent" for row in rows.rows))
        assert [row.kind for row in rows.rows].index("region") < [
            row.kind for row in rows.rows
        ].index("source")
        assert "logging may have stopped" in entry(app)

    play(hunt, journey)


def test_feed_without_read_only_events_is_blind(
    hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = [Bridge("/feeds/all.json", 9, 4), Bridge("/feeds/writes.json", 5, 0)]
    monkeypatch.setattr(hunt.store.completeness, "feeds", lambda: feeds)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "f", "'state:blind", "enter")
        assert [row.what for row in rows.rows] == ["/feeds/writes.json"]
        assert "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" in entry(app)

    play(hunt, journey)


def test_quarantined_file_is_retried_and_ignored(hunt: Hunt) -> None:
    def states() -> dict[str, tuple[str, str | None]]:
        return {Path(row.path).name: (row.state, row.reason) for row in hunt.store.files.all()}

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "f", "'kind:file", "enter", "g")
        assert [Path(row.what).name for row in rows.rows] == ["cut.json", "odd.json.gz"]
        assert "the JSON ends too early" in entry(app)
        await press(pilot, "R")
        await until(pilot, lambda: len(rows.rows) == 1)
        assert states()["cut.json"] == ("waiting", "retry")
        assert said(app).startswith("Retried with the next rescan: /")
        await press(pilot, "x")
        await until(pilot, lambda: not rows.rows)
        assert states()["odd.json.gz"] == ("skipped", "ignored")
        assert isinstance(hunt.feed, Reconsidering)
        assert hunt.feed.times == 2
        await until(pilot, lambda: app.view_model.unread == 0)

    play(hunt, journey)


def test_keys_of_bad_files_work_on_those_alone(hunt: Hunt) -> None:
    def working(app: HuntApp) -> set[str]:
        decisions = {"source.retry", "source.ignore"}
        return {entry.id for entry in screen_entries(app.screen) if entry.enabled} & decisions

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "g")
        assert rows.cursor_row is not None and rows.cursor_row.kind == "all"
        assert working(app) == set()
        await press(pilot, "j", "j", "j")
        assert rows.cursor_row.kind == "file"
        assert working(app) == {"source.retry", "source.ignore"}

    play(hunt, journey)


def test_missing_file_is_an_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        listed: RowList[Alert] = app.screen.row_list
        alert = next(alert for alert in listed.rows if alert.rule == INTEGRITY_RULES["missing"])
        assert listed.move_to(alert.alert_id)
        await pilot.pause()
        assert "Log file missing: 111122223333_CloudTrail_us-east-1_20260301T1245Z" in screen_text(
            app
        )
        await press(pilot, "enter", "a")
        await until(pilot, lambda: hunt.store.alerts.get(alert.alert_id).status == "acknowledged")
        assert "No calls of this alert are stored" in screen_text(app)

    play(hunt, journey)


def test_marked_files_are_decided_together(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "asterisk", "x")
        await until(pilot, lambda: all(row.kind != "file" for row in rows.rows) and bool(said(app)))
        assert said(app) == "Ignored unless it changes (counted as skipped): 2 files; z undoes"
        assert hunt.store.files.accounting().files_skipped["ignored"] == 2

    play(hunt, journey)


@pytest.mark.parametrize("key", ["R", "x"])
def test_only_quarantined_files_are_decided(key: str, hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        before = hunt.store.files.accounting()
        await opened(app, pilot, "G", key)
        assert "Not quarantined" in said(app)
        assert hunt.store.files.accounting() == before

    play(hunt, journey)


def test_files_are_not_decided_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    write(tmp_path, "trail/cut.json", b'{"Records": [')
    read(hunt, tmp_path / "trail")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j", "x")
        assert said(app).startswith("Read-only: ")

    monkeypatch.setattr(hunt.store.database, "_writer", None)
    play(hunt, journey, pipeline=None)
    assert len(hunt.store.quarantine.files()) == 1


def test_hostile_file_names_are_harmless(tmp_path: Path) -> None:
    """Whoever may write to a bucket names its objects."""
    hunt = Hunt(tmp_path)
    for payload in list(PAYLOADS.values())[::2]:
        if len(payload) < 60 and not {"\x00", "\ud800"} & set(payload):
            write(tmp_path, f"trail/{payload.replace('/', '-')}.json", b'{"Records": [')
    read(hunt, tmp_path / "trail")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "j")
        assert len(rows.rows) > 10
        for _ in rows.rows:
            assert [what for what in harm(app) if "'@mouse." not in what] == []
            await pilot.press("j")

    play(hunt, journey)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (123_456, "123 kB"),
        (8_912_000, "8.9 MB"),
        (5 * 10**15, "5,000.0 TB"),
    ],
)
def test_byte_size_is_formatted(number: int, words: str) -> None:
    assert byte_size(number) == words


GOLDENS: dict[str, Sequence[str]] = {"sources": [], "sources-region": ["G"]}


@pytest.mark.parametrize("name", GOLDENS)
def test_screen(name: str, hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, *GOLDENS[name])
        await compare(app, pilot, name)

    hunt.play(journey, toasts=False)
