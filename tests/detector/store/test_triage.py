"""Status, notes and suppressions, with their history and their alert."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from detector.detection.alert import Alert
from detector.store import StateError, Store
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.clock import Clock
from tests.detector.trail import ANA, REGIONS, START, call, scan, sweep, watch, write

DAY = 86_400.0
BEN = ANA.replace("ana", "ben")


@pytest.fixture
def clock() -> Clock:
    return Clock(START + DAY)


@pytest.fixture
def store(clock: Clock, tmp_path: Path) -> Iterator[Store]:
    """With one alert of Ana's and one of Ben's."""
    store = Store.open(tmp_path / "hunt.db", clock)
    write(tmp_path / "logs", "a.json", [*sweep(10), *sweep(10, 60, arn=BEN)])
    scan(tmp_path / "logs", store=store)
    yield store
    store.close()


def alert_of(store: Store, arn: str) -> Alert:
    return next(alert for alert in store.alerts.all() if alert.principal == arn)


def suppression(clock: Clock, value: str = ANA, days: float = 7, **changed: object) -> Suppression:
    default = Suppression(
        "principal", value, None, clock.now, clock.now + days * DAY, "T-1", "sec", "inventory"
    )
    return msgspec.structs.replace(default, **changed)


# status


def test_set_status_adds_to_history(store: Store, clock: Clock) -> None:
    ana, ben = alert_of(store, ANA), alert_of(store, BEN)
    changed = store.triage.set_status([ana.alert_id, ben.alert_id], "acknowledged")
    assert [alert.status for alert in changed] == ["acknowledged", "acknowledged"]
    clock.now += 60
    store.triage.set_status([ana.alert_id], "closed")
    store.triage.set_status([ana.alert_id], "closed")
    history = store.history.entries(ana.alert_id)
    assert [(entry.kind, entry.detail, entry.time) for entry in history] == [
        ("acknowledged", "open -> acknowledged", START + DAY),
        ("closed", "acknowledged -> closed", START + DAY + 60),
    ]
    assert all(entry.author for entry in history)
    assert {alert.principal: alert.status for alert in store.alerts.all()} == {
        ANA: "closed",
        BEN: "acknowledged",
    }


def test_status_survives_a_restart_and_a_revision(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    store.triage.set_status([alert_of(store, ANA).alert_id], "closed")
    store.close()
    write(tmp_path / "logs", "late.json", [call(5, "me-south-1")])
    reopened = Store.open(tmp_path / "hunt.db", clock)
    before = alert_of(reopened, ANA)
    scan(tmp_path / "logs", store=reopened)
    after = alert_of(reopened, ANA)
    assert (after.status, len(after.event_ids)) == ("closed", len(before.event_ids) + 1)
    assert after.revision > before.revision
    reopened.close()


# notes


def test_note_keeps_context_of_its_time(store: Store, tmp_path: Path) -> None:
    ana = alert_of(store, ANA)
    [note] = store.triage.add_notes([ana], NoteBody("looks odd", "suspicious", "T-7", "sec"))
    write(tmp_path / "logs", "late.json", [call(5, "me-south-1")])
    scan(tmp_path / "logs", store=store)
    (stored,) = store.triage.notes()
    assert stored == note
    assert (stored.context.principal, stored.context.regions) == (ANA, list(REGIONS[:10]))
    assert (stored.context.start, stored.context.end, stored.context.events) == (
        START,
        START + 30,
        10,
    )
    assert (stored.edited, stored.history, stored.body.ticket) == (None, [], "T-7")


def test_edit_note_keeps_former_bodies(store: Store, clock: Clock) -> None:
    ana = alert_of(store, ANA)
    [note] = store.triage.add_notes([ana], NoteBody("looks odd"))
    first = clock.now
    clock.now += 60
    store.triage.edit_note(note.note_id, NoteBody("inventory", "benign"))
    clock.now += 60
    edited = store.triage.edit_note(note.note_id, NoteBody("really inventory", "benign", "T-1"))
    assert edited.body == NoteBody("really inventory", "benign", "T-1")
    assert (edited.created, edited.edited) == (first, first + 120)
    assert [(edit.time, edit.body.text) for edit in edited.history] == [
        (first, "looks odd"),
        (first + 60, "inventory"),
    ]
    assert store.triage.notes() == [edited]
    assert [entry.kind for entry in store.history.entries(ana.alert_id)] == [
        "note",
        "note-edited",
        "note-edited",
    ]


def test_notes_are_newest_first_and_by_alert(store: Store, clock: Clock) -> None:
    ana, ben = alert_of(store, ANA), alert_of(store, BEN)
    for seconds, (alert, text) in enumerate([(ana, "one"), (ben, "two"), (ana, "three")]):
        clock.now = START + DAY + seconds
        store.triage.add_notes([alert], NoteBody(text))
    assert [note.body.text for note in store.triage.notes()] == ["three", "two", "one"]
    assert [note.body.text for note in store.triage.notes_of(ana.alert_id)] == ["three", "one"]
    assert store.triage.notes_of("no such alert") == []


def test_change_of_unknown_note_or_suppression_is_refused(store: Store) -> None:
    for change in (
        lambda: store.triage.edit_note(77, NoteBody("x")),
        lambda: store.triage.lift(["x"]),
        lambda: store.triage.extend(["x"], 1e10),
    ):
        with pytest.raises(StateError, match=r"no (note|suppression)"):
            change()


# suppressions


def test_suppression_hides_while_it_is_active(store: Store, clock: Clock) -> None:
    [suppressed] = store.triage.suppress([suppression(clock)])
    assert suppressed.suppression_id
    assert (suppressed.author != "", suppressed.hidden) == (True, 1)
    assert (alert_of(store, ANA).suppressed_by, alert_of(store, BEN).suppressed_by) == (
        suppressed.suppression_id,
        None,
    )
    clock.now += 7 * DAY - 1
    assert alert_of(store, ANA).suppressed_by == suppressed.suppression_id
    clock.now += 1  # nothing is written: it ends by itself
    assert alert_of(store, ANA).suppressed_by is None
    assert store.suppressions.all()[0].state(clock.now) == "expired"
    assert store.suppressions.all()[0].hidden == 1


def test_extended_suppression_hides_again(store: Store, clock: Clock) -> None:
    [suppressed] = store.triage.suppress([suppression(clock, days=1)])
    clock.now += 2 * DAY
    [extended] = store.triage.extend([suppressed.suppression_id], clock.now + DAY)
    assert (extended.state(clock.now), extended.expires) == ("active", clock.now + DAY)
    assert alert_of(store, ANA).suppressed_by == suppressed.suppression_id


def test_lifted_suppression_cannot_be_extended(store: Store, clock: Clock) -> None:
    [suppressed] = store.triage.suppress([suppression(clock)])
    clock.now += 60
    [lifted] = store.triage.lift([suppressed.suppression_id])
    assert (lifted.lifted, lifted.state(clock.now)) == (clock.now, "lifted")
    assert alert_of(store, ANA).suppressed_by is None
    clock.now += 60
    assert store.triage.lift([suppressed.suppression_id])[0] == lifted
    with pytest.raises(StateError, match="was lifted"):
        store.triage.extend([suppressed.suppression_id], clock.now + DAY)


def test_suppression_has_a_history(store: Store, clock: Clock) -> None:
    [suppressed] = store.triage.suppress([suppression(clock)])
    store.triage.extend([suppressed.suppression_id], clock.now + 14 * DAY)
    store.triage.lift([suppressed.suppression_id])
    assert [entry.kind for entry in store.history.entries(suppressed.suppression_id)] == [
        "created",
        "extended",
        "lifted",
    ]
    hidden = [
        entry
        for entry in store.history.entries(alert_of(store, ANA).alert_id)
        if entry.kind == "hidden"
    ]
    assert [suppressed.suppression_id in entry.detail for entry in hidden] == [True]
    assert store.history.entries(alert_of(store, BEN).alert_id) == []


def test_suppression_hides_and_counts_later_alerts(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    [suppressed] = store.triage.suppress([suppression(clock)])
    write(tmp_path / "logs", "more.json", [*sweep(10, 120), *sweep(10, 180, arn=BEN)])
    run = scan(tmp_path / "logs", store=store)
    assert sorted(alert.suppressed_by is not None for alert in run.alerts) == [
        False,
        False,
        True,
        True,
    ]
    assert store.suppressions.all()[0].hidden == 2
    assert len(run.alerts) == 4  # they are kept
    scan(tmp_path / "logs", store=store)
    assert store.suppressions.all()[0].hidden == 2
    assert suppressed.suppression_id == store.suppressions.all()[0].suppression_id


def test_suppressions_are_newest_first(store: Store, clock: Clock) -> None:
    [first] = store.triage.suppress([suppression(clock)])
    clock.now += 1
    [second] = store.triage.suppress([suppression(clock, BEN)])
    assert [suppressed.suppression_id for suppressed in store.suppressions.all()] == [
        second.suppression_id,
        first.suppression_id,
    ]


def test_suppression_without_reason_is_refused(store: Store, clock: Clock) -> None:
    with pytest.raises(ValueError, match="add a ticket"):
        store.triage.suppress([suppression(clock, ticket="", justification=" ")])
    assert store.suppressions.all() == []


# alerts that late records move (sliding)


@pytest.fixture
def sliding(clock: Clock, tmp_path: Path) -> Iterator[Store]:
    """With an alert of Ana's from 10:01:00 and one from 10:01:45."""
    store = Store.open(None, clock)
    write(tmp_path / "live", "a.json", [*sweep(10, 60), *sweep(10, 105)])
    scan(tmp_path / "live", store=store, mode="sliding")
    assert [
        (alert.window.start - START, alert.window.end - START)
        for alert in store.alerts.all()
        if alert.window
    ] == [(105, 135), (60, 90)]
    yield store
    store.close()


def test_decisions_follow_alert_that_a_late_record_moves(
    sliding: Store, clock: Clock, tmp_path: Path
) -> None:
    old = sliding.alerts.all()[1]
    sliding.triage.set_status([old.alert_id], "acknowledged")
    [note] = sliding.triage.add_notes([old], NoteBody("mine"))
    [suppressed] = sliding.triage.suppress([suppression(clock)])
    write(tmp_path / "live", "late.json", [call(50, "me-south-1")])
    run = scan(tmp_path / "live", store=sliding, mode="sliding")
    other, new = run.alerts
    assert new.window is not None
    assert (new.window.start - START, new.window.end - START, new.event_count) == (50, 90, 11)
    assert (new.alert_id != old.alert_id, new.supersedes) == (True, [old.alert_id])
    assert (new.status, new.suppressed_by, other.status) == (
        "acknowledged",
        suppressed.suppression_id,
        "open",
    )
    assert new.revision > old.revision
    assert [(each.note_id, each.alert_id) for each in sliding.triage.notes()] == [
        (note.note_id, new.alert_id)
    ]
    assert sliding.alerts.get(old.alert_id) is None
    assert sliding.suppressions.all()[0].hidden == 2
    assert [entry.kind for entry in sliding.history.entries(old.alert_id)][-1] == "superseded"
    assert "supersedes" in [entry.kind for entry in sliding.history.entries(new.alert_id)]
    assert [old.alert_id in update.withdrawn for update in run.updates if update.alerts] == [True]


def test_alert_moved_twice_supersedes_both(sliding: Store, tmp_path: Path) -> None:
    names = [sliding.alerts.all()[1].alert_id]
    for number, seconds in enumerate((50, 40)):
        write(tmp_path / "live", f"late{number}.json", sweep(10, seconds))
        scan(tmp_path / "live", store=sliding, mode="sliding")
        names.append(sliding.alerts.all()[-1].alert_id)
    assert sorted(sliding.alerts.all()[-1].supersedes) == sorted(names[:2])


@pytest.mark.parametrize("undecided", [0, 1])
def test_joined_alerts_become_the_first(undecided: int, sliding: Store, tmp_path: Path) -> None:
    """It has the id of the first, and the notes of both."""
    second, first = sliding.alerts.all()
    sliding.triage.set_status([(first, second)[1 - undecided].alert_id], "closed")
    for alert in (first, second):
        sliding.triage.add_notes([alert], NoteBody(alert.alert_id))
    write(tmp_path / "live", "late.json", sweep(10, 80))
    run = scan(tmp_path / "live", store=sliding, mode="sliding")
    (joined,) = run.alerts
    assert joined.window is not None
    assert (joined.alert_id, joined.supersedes) == (first.alert_id, [second.alert_id])
    assert (joined.window.start - START, joined.window.end - START, joined.event_count) == (
        60,
        135,
        30,
    )
    assert joined.status == "open"  # of the two, the one that hides least
    assert {note.alert_id for note in sliding.triage.notes()} == {joined.alert_id}
    assert len(sliding.triage.notes()) == 2


def test_alerts_joined_by_an_earlier_one_keep_decisions(sliding: Store, tmp_path: Path) -> None:
    second, first = sliding.alerts.all()
    for alert in (first, second):
        sliding.triage.set_status([alert.alert_id], "closed")
        sliding.triage.add_notes([alert], NoteBody(alert.alert_id))
    write(tmp_path / "live", "late.json", [*sweep(10, 45), *sweep(10, 80)])
    (joined,) = scan(tmp_path / "live", store=sliding, mode="sliding").alerts
    assert (joined.supersedes, joined.status) == (
        sorted([first.alert_id, second.alert_id]),
        "closed",
    )
    assert [note.alert_id for note in sliding.triage.notes()] == [joined.alert_id] * 2


# provisional, settled, revised


def test_alert_is_settled_when_watermark_has_passed(tmp_path: Path) -> None:
    """By the newest event read, then by the clock."""
    now = START + 60.0
    logs = tmp_path / "logs"
    store = Store.open(None)

    def later() -> None:
        nonlocal now
        now += 20 * 60

    write(logs, "a.json", sweep(10))
    first = watch(store, logs, clock=lambda: now)
    assert [alert.settled for alert in first.alerts] == [False]
    run = watch(store, logs, later, clock=lambda: now)
    assert [(alert.settled, alert.revision) for alert in run.alerts] == [
        (True, first.alerts[0].revision)
    ]
    assert [[alert.settled for alert in update.alerts] for update in run.updates if update.alerts][
        -1
    ] == [True]
    revised = watch(
        store, logs, lambda: write(logs, "late.json", [call(9, "me-south-1")]), clock=lambda: now
    )
    assert revised.alerts[0].revision > run.alerts[0].revision
    store.close()


def test_alert_is_published_again_when_late_records_change_it(tmp_path: Path) -> None:
    store = Store.open(None)
    logs = tmp_path / "logs"
    late = [
        call(1, "me-south-1"),
        call(2, "me-south-1"),
        call(2, "me-south-1"),
    ]  # the last one comes twice
    write(logs, "a.json", sweep(10))
    run = watch(
        store,
        logs,
        *(
            lambda n=n, record=record: write(logs, f"{n}.json", [record])
            for n, record in enumerate(late)
        ),
    )
    published = list(chain.from_iterable(update.alerts for update in run.updates))
    assert [alert.event_count for alert in published] == [10, 11, 12]
    assert published[0].revision == 1
    revisions = [alert.revision for alert in published]
    assert revisions[0] < revisions[1] < revisions[2] == run.alerts[0].revision
    store.close()


def test_one_late_record_is_one_revision(tmp_path: Path) -> None:
    store = Store.open(None)
    write(tmp_path / "logs", "a.json", sweep(10))
    run = watch(
        store,
        tmp_path / "logs",
        lambda: write(tmp_path / "logs", "late.json", [call(1, "me-south-1")]),
    )
    store.close()
    assert run.alerts[0].revision == 2
