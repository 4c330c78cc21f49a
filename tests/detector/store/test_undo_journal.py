"""The undo and redo of decisions, by author, across restarts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert, Status
from detector.detection.indicator import Indicator, known_indicator
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store
from detector.store.files.stored_file import StoredFile
from detector.text.time import format_time
from detector.triage.hunt_record import HuntFinding
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.clock import Clock
from tests.detector.store.file_rows import change_files
from tests.detector.trail import ANA, REFERENCE, START, call, scan, sweep, write

DAY = 86_400.0
WHO = (ANA, ANA.replace("ana", "ben"), ANA.replace("ana", "cat"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with an alert of each principal, and a quarantined file."""
    folder = tmp_path_factory.mktemp("undo")
    write(
        folder / "logs",
        "a.json",
        list(chain.from_iterable(sweep(10, 60 * i, arn=arn) for i, arn in enumerate(WHO))),
    )
    write(folder / "logs", "cut.json", b'{"Records": [}')
    store = Store.open(folder / "hunt.db", Clock(START + DAY, step=1))
    scan(folder / "logs", store=store)
    store.close()
    return folder / "hunt.db"


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    store = Store.open(Path(shutil.copy(template, tmp_path)), Clock(START + DAY, step=1))
    yield store
    store.close()


def known(text: str) -> Indicator:
    indicator = known_indicator(text)
    assert indicator is not None
    return indicator


def ids_of(store: Store, *who: str) -> list[str]:
    """Return the ids of the alerts of these principals, or of all."""
    return [alert.alert_id for alert in store.alerts.all() if alert.principal in (who or WHO)]


def suppression(store: Store, value: str = ANA, days: float = 7) -> Suppression:
    now = store.database.clock()
    return Suppression("principal", value, None, now, now + days * DAY, "T-1", "sec", "inventory")


def decisions(store: Store) -> dict[str, Any]:
    """Return all that the analyst decided, as it stands."""
    return {
        "alerts": {
            alert.alert_id: (alert.status, alert.assignee, alert.suppressed_by)
            for alert in store.alerts.all()
        },
        "notes": {note.note_id: note.body for note in store.triage.notes()},
        "suppressions": {
            suppressed.suppression_id: (suppressed.value, suppressed.expires, suppressed.lifted)
            for suppressed in store.suppressions.all()
            if not suppressed.undone
        },
        "watches": {
            watch.watch_id: (watch.indicator, watch.label, watch.acknowledged, watch.lifted)
            for watch in store.watches.stored()
            if not watch.undone
        },
        "rules": store.rules.disabled(),
        "files": {row.path: (row.state, row.reason, row.detail) for row in store.files.all()},
        "hunts": {
            hunt.hunt_id: (
                dict(hunt.texts),
                hunt.state,
                hunt.queries,
                {finding.part for finding in hunt.findings},
            )
            for hunt in store.hunts.all()
        },
    }


# The kinds of decision: each takes the store, principals, and a number.


def _status(store: Store, who: list[str], number: int) -> None:
    store.triage.set_status(ids_of(store, *who), ("open", "acknowledged", "closed")[number])


def _assign(store: Store, who: list[str], number: int) -> None:
    store.triage.assign(ids_of(store, *who), ("", "dana", "Émile O'Neil")[number])


def _note(store: Store, who: list[str], number: int) -> None:
    store.triage.add_notes(
        [alert for alert in store.alerts.all() if alert.principal in who],
        NoteBody(f"note {number}"),
    )


def _edit(store: Store, _: list[str], number: int) -> None:
    for note in store.triage.notes()[number : number + 1]:
        store.triage.edit_note(note.note_id, NoteBody(f"edited {number}", "benign"))


def _suppress(store: Store, who: list[str], number: int) -> None:
    store.triage.suppress([suppression(store, arn, 1 + number) for arn in who])


def _running(store: Store) -> list[str]:
    return [
        suppressed.suppression_id for suppressed in store.suppressions.all() if not suppressed.over
    ]


def _extend(store: Store, who: list[str], number: int) -> None:
    store.triage.extend(_running(store)[: len(who)], store.database.clock() + (9 + number) * DAY)


def _lift(store: Store, who: list[str], _: int) -> None:
    store.triage.lift(_running(store)[: len(who)])


def _switch(store: Store, _: list[str], number: int) -> None:
    store.rules.switch([REFERENCE], on=number == 0)


def _quarantine(store: Store, _: list[str], number: int) -> None:
    (store.quarantine.ignore if number else store.quarantine.retry)(
        [file.path for file in store.quarantine.files()]
    )


def _watch(store: Store, who: list[str], number: int) -> None:
    store.watches.add(map(known, who), f"case {number}")


def _watches(store: Store) -> list[str]:
    return [watch.watch_id for watch in store.watches.active()]


def _acknowledge_watch(store: Store, who: list[str], _: int) -> None:
    store.watches.acknowledge(_watches(store)[: len(who)])


def _lift_watch(store: Store, who: list[str], _: int) -> None:
    store.watches.lift(_watches(store)[: len(who)])


def _hunt(store: Store, who: list[str], number: int) -> None:
    """Begin a hunt; later edit it, save a query and attach principals, or conclude it."""
    hunts = store.hunts.all()
    if not hunts:
        store.hunts.create({"name": f"hunt {number}", "hypothesis": "a key leaked"})
    elif number == 0:
        store.hunts.edit(hunts[0], {"name": "another name", "accounts": "111122223333"})
    elif number == 1 and not hunts[0].findings:
        findings = [HuntFinding("principal", arn, arn, "seen", int(START)) for arn in who]
        store.hunts.attach(hunts[0].hunt_id, findings)
    elif number == 1:
        query = store.hunts.new_query("all", "esql", "from logs-aws.cloudtrail-*")
        store.hunts.save_query(hunts[0], query)
    elif hunts[0].is_open:
        store.hunts.conclude(hunts[0], "nothing")
    else:
        store.hunts.remove(hunts[0], [each.part for each in hunts[0].findings])


DECIDE: list[Callable[[Store, list[str], int], None]] = [
    _status,
    _assign,
    _note,
    _edit,
    _suppress,
    _extend,
    _lift,
    _switch,
    _quarantine,
    _watch,
    _acknowledge_watch,
    _lift_watch,
    _hunt,
]
STEPS = st.one_of(
    st.sampled_from(["undo", "undo", "redo", "reopen"]),
    st.tuples(
        st.integers(0, len(DECIDE) - 1),
        st.lists(st.sampled_from(WHO), min_size=1, unique=True),
        st.integers(0, 2),
    ),
)


@settings(max_examples=25)
@given(steps=st.lists(STEPS, min_size=3, max_size=14))
def test_undo_and_redo_restore_all_decisions(
    steps: list[str | tuple[int, list[str], int]],
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Against a list of snapshots; finally all is undone and redone."""
    path, clock = (
        Path(shutil.copy(template, tmp_path_factory.mktemp("undo"))),
        Clock(START + DAY, step=1),
    )
    store = Store.open(path, clock)
    snapshots, index, kept_rows = [decisions(store)], 0, 0

    def turn(step: int) -> None:
        nonlocal index
        is_possible = 0 <= index + step < len(snapshots)
        result = store.undo() if step < 0 else store.redo()
        assert (result is not None) is is_possible
        if result is not None:
            index += step
            assert (result.unchanged, bool(result.subjects)) == ([], True)
        assert decisions(store) == snapshots[index]

    for step in steps:
        if step == "reopen":
            store.close()
            store = Store.open(path, clock)
        elif isinstance(step, str):
            turn({"undo": -1, "redo": 1}[step])
        else:
            DECIDE[step[0]](store, *step[1:])
            current = decisions(store)
            if current != snapshots[index]:
                snapshots[index + 1 :], index = [current], index + 1
        assert decisions(store) == snapshots[index]
        rows = store.database.value(
            "SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM note_words)"
        )
        assert rows >= kept_rows  # nothing that was done or undone is forgotten
        kept_rows = rows
    while index:
        turn(-1)
    turn(-1)
    store.close()
    store = Store.open(path, clock)
    while index < len(snapshots) - 1:
        turn(1)
    turn(1)
    store.close()


def test_undo_returns_the_decision(store: Store) -> None:
    store.triage.set_status(ids_of(store, ANA), "closed")
    store.triage.set_status(ids_of(store), "acknowledged")
    suppressed = store.triage.suppress([suppression(store)])
    results = [store.undo() for _ in range(4)]
    assert [
        (result.decision.action, result.decision.subject_name, result.decision.count)
        for result in results
        if result
    ] == [("created", ANA, 1), ("acknowledged", "", 3), ("closed", ANA, 1)]
    times = [result.decision.time for result in results if result]
    assert times == sorted(times, reverse=True) and times[-1] > START + DAY
    assert results[3] is None
    assert results[1] is not None
    assert sorted(alert.status for alert in results[1].alerts) == ["closed", "open", "open"]
    assert sorted(results[1].subjects) == sorted(ids_of(store))
    assert [entry.kind for entry in store.history.entries(suppressed[0].suppression_id)] == [
        "created",
        "created undone",
    ]
    assert [
        (entry.kind, entry.detail)
        for entry in store.history.entries(ids_of(store, ANA)[0])
        if entry.kind != "hidden"
    ] == [
        ("closed", "open -> closed"),
        ("acknowledged", "closed -> acknowledged"),
        ("acknowledged undone", "acknowledged -> closed"),
        ("closed undone", "closed -> open"),
    ]


def test_undone_note_keeps_its_body(store: Store) -> None:
    alert = store.alerts.all()[0]
    [note] = store.triage.add_notes([alert], NoteBody("hm", "suspicious"))
    store.undo()
    assert store.triage.notes() == []
    store.redo()
    [redone] = store.triage.notes()
    assert (redone.note_id, redone.body) == (note.note_id, note.body)
    assert [edit.body for edit in redone.history] == [note.body, None]
    assert [(entry.kind, entry.detail) for entry in store.history.entries(alert.alert_id)] == [
        ("note", "#1 suspicious"),
        ("note undone", "#1 suspicious"),
        ("note redone", "#1 suspicious"),
    ]


@pytest.fixture
def colleague(store: Store) -> Iterator[Store]:
    """The same state, opened by another author."""
    with closing(Store.open(store.path, store.database.clock, "colleague")) as opened:
        yield opened


def test_undo_leaves_what_another_author_changed(store: Store, colleague: Store) -> None:
    """A colleague closes one of three: neither undoes the other's decision."""
    ana, ben = ids_of(store, ANA)[0], ids_of(store, WHO[1])[0]
    store.triage.set_status(ids_of(store), "acknowledged")
    colleague.triage.set_status([ben], "closed")
    result = store.undo()
    assert result is not None
    assert (len(result.subjects), result.unchanged) == (2, [ben])
    assert {alert.alert_id: alert.status for alert in store.alerts.all()}[ben] == "closed"
    store.triage.set_status([ana], "closed")
    assert colleague.undo() is not None
    assert {alert.alert_id: alert.status for alert in store.alerts.all()} == {
        ana: "closed",
        ben: "acknowledged",
        ids_of(store, WHO[2])[0]: "open",
    }


def test_undo_leaves_what_the_author_decides_elsewhere(store: Store) -> None:
    """Of another session only what was decided before this one began."""
    ana, ben, cat = (ids_of(store, who)[0] for who in WHO)
    store.triage.set_status([ana], "acknowledged")
    with closing(Store.open(store.path, store.database.clock)) as second:
        store.triage.set_status([ben], "acknowledged")
        second.triage.set_status([cat], "acknowledged")
        undone = [second.undo() for _ in range(3)]
    assert [result and result.subjects for result in undone] == [[cat], [ana], None]
    result = store.undo()
    assert result is not None
    assert result.subjects == [ben]


STATUSES: tuple[Status, ...] = ("open", "acknowledged", "closed")


@given(
    decisions=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 2), st.sampled_from(STATUSES), st.booleans()),
        max_size=12,
    )
)
@settings(max_examples=25)
def test_status_is_never_overwritten_unseen(
    decisions: list[tuple[int, int, Status, bool]], template: Path
) -> None:
    """Two decide on what each saw last: a model of what must stand, and of what is told."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Store.open(Path(shutil.copy(template, folder)), author="one")) as one,
        closing(Store.open(one.path, author="two")) as two,
    ):
        stores, ids = (one, two), [ids_of(one, who)[0] for who in WHO]
        stands: dict[str, Status] = dict.fromkeys(ids, "open")
        seen = (dict(stands), dict(stands))
        told: list[tuple[str, str, str, str]] = []
        for who, which, status, looks in decisions:
            alert_id, store = ids[which], stores[who]
            if looks:
                seen[who].update(stands)
            if seen[who][alert_id] == stands[alert_id]:
                expected = status
            else:
                expected = stands[alert_id]
            if status != stands[alert_id]:
                verb = {"acknowledged": "acknowledged", "closed": "closed", "open": "reopened"}
                kind = verb[status] + ("" if expected == status else " refused")
                told.append((alert_id, store.author, kind, f"{seen[who][alert_id]} -> {status}"))
            [alert] = store.triage.set_status([alert_id], status, seen[who])
            assert alert.status == (status if status == stands[alert_id] else expected)
            stands[alert_id] = seen[who][alert_id] = alert.status
        assert {alert.alert_id: alert.status for alert in two.alerts.all()} == stands
        history = [
            (alert_id, entry.author, entry.kind, entry.detail)
            for alert_id in ids
            for entry in one.history.entries(alert_id)
        ]
        assert sorted(history) == sorted(told)


def test_decision_passes_over_what_stands_and_what_has_changed(
    store: Store, colleague: Store
) -> None:
    stands, changed, last = ids_of(store)
    store.triage.set_status([stands], "closed")
    colleague.triage.set_status([changed], "acknowledged")
    store.triage.set_status([stands, changed, last], "closed", {changed: "open"})
    result = store.undo()
    assert result is not None
    assert (result.subjects, result.unchanged) == ([last], [])
    entries = store.history.entries(changed)
    assert [(entry.kind, entry.detail) for entry in entries if entry.author == store.author] == [
        ("closed refused", "open -> closed")
    ]
    name = next(alert.principal for alert in store.alerts.all() if alert.alert_id == last)
    assert (result.decision.count, result.decision.subject_name) == (1, name)


def test_suppression_changed_meanwhile_is_left(store: Store, colleague: Store) -> None:
    [shown] = store.triage.suppress([suppression(store)])
    name, later = shown.suppression_id, shown.expires + DAY
    colleague.triage.extend([name], later)
    for overtaken in (
        store.triage.extend([name], later + DAY, {name: shown}),
        store.triage.lift([name], {name: shown}),
    ):
        assert [(made.expires, made.over) for made in overtaken] == [(later, "")]
    entries = store.history.entries(name)
    assert [(entry.author, entry.kind) for entry in entries] == [
        (store.author, "created"),
        ("colleague", "extended"),
        (store.author, "extended refused"),
        (store.author, "lifted refused"),
    ]
    refused = f"until {format_time(later + DAY)}, was {format_time(shown.expires)}"
    assert entries[2].detail == refused


def test_file_that_left_the_quarantine_is_left(store: Store, colleague: Store) -> None:
    [file] = store.quarantine.files()
    assert store.quarantine.ignore([file.path]) == []
    assert colleague.quarantine.retry([file.path]) == [file.path]
    assert [row.reason for row in store.files.all() if row.path == file.path] == ["ignored"]


def test_file_whose_name_is_no_text_is_decided_on(tmp_path: Path) -> None:
    with closing(Store.open(None)) as store:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.json"))
        path.write_bytes(b"{")
        scan(tmp_path, store=store)
        [file] = store.quarantine.files()
        assert store.quarantine.ignore([file.path]) == [] == store.quarantine.files()
        [entry] = store.history.entries(f"{tmp_path}/caf\\xe9.json")
        assert entry.kind == "ignored"
        assert store.undo() is not None and store.quarantine.files() == [file]
        assert store.redo() is not None and store.quarantine.files() == []


def test_decision_follows_alert_that_was_superseded_meanwhile(tmp_path: Path) -> None:
    """Late records move it between the screen and the key."""
    with closing(Store.open(None, Clock(START + DAY, step=1))) as store:
        write(tmp_path, "a.json", sweep(10, 60))
        [shown] = scan(tmp_path, store=store, mode="sliding").alerts
        write(tmp_path, "late.json", [call(50, "me-south-1")])
        [moved] = scan(tmp_path, store=store, mode="sliding").alerts
        assert moved.alert_id != shown.alert_id
        [alert] = store.triage.set_status([shown.alert_id], "closed", {shown.alert_id: "open"})
        assert (alert.alert_id, alert.status) == (moved.alert_id, "closed")
        [note] = store.triage.add_notes([shown], NoteBody("seen"))
        assert note.alert_id == moved.alert_id


def complete(row: StoredFile) -> None:
    row.state, row.reason, row.detail = "read", None, None


def test_undo_skips_decision_that_cannot_be_undone(store: Store) -> None:
    store.triage.set_status(ids_of(store, ANA), "acknowledged")
    store.quarantine.ignore([file.path for file in store.quarantine.files()])
    # As the pipeline does where the file is complete by now.
    change_files(store, complete)
    result = store.undo()
    assert result is not None
    assert (result.subjects, len(result.unchanged)) == ([], 1)
    assert store.redo() is None
    result = store.undo()
    assert result is not None
    assert result.decision.action == "acknowledged"


def test_redone_suppression_hides_alerts_that_came_meanwhile(store: Store, tmp_path: Path) -> None:
    [suppressed] = store.triage.suppress([suppression(store)])
    store.undo()
    assert [suppressed.undone is not None for suppressed in store.suppressions.all()] == [True]
    write(tmp_path / "more", "b.json", sweep(10, 600))
    scan(tmp_path / "more", store=store)
    assert all(alert.suppressed_by is None for alert in store.alerts.all())
    store.redo()
    assert [alert.suppressed_by for alert in store.alerts.all() if alert.principal == ANA] == [
        suppressed.suppression_id
    ] * 2
    assert store.suppressions.all()[0].hidden == 2


def test_undo_follows_alert_that_late_records_move(tmp_path: Path) -> None:
    store = Store.open(None, Clock(START + DAY, step=1))
    write(tmp_path, "a.json", sweep(10, 60))
    [before] = scan(tmp_path, store=store, mode="sliding").alerts
    store.triage.set_status([before.alert_id], "closed")
    write(tmp_path, "late.json", [call(50, "me-south-1")])
    after: Alert
    [after] = scan(tmp_path, store=store, mode="sliding").alerts
    assert (after.alert_id != before.alert_id, after.status) == (True, "closed")
    result = store.undo()
    assert result is not None
    assert [(alert.alert_id, alert.status) for alert in result.alerts] == [(after.alert_id, "open")]
    store.close()


def test_undo_returns_file_to_quarantine(tmp_path: Path) -> None:
    store = Store.open(None, Clock(START + DAY, step=1))
    write(tmp_path, "cut.json", b'{"Records": [}')
    pipeline = Pipeline(store, load(), Directory([tmp_path]), jobs=1)
    pipeline.scan(lambda _: None)
    before = store.quarantine.files()
    for decide in (store.quarantine.ignore, store.quarantine.retry):
        decide([before[0].path])
        pipeline.recheck_quarantine()
        assert store.undo() is not None
        pipeline.recheck_quarantine()
        pipeline.scan(lambda _: None)
        assert store.quarantine.files() == before
    assert [entry.kind for entry in store.history.entries(before[0].path)] == [
        "ignored",
        "ignored undone",
        "retry",
        "retry undone",
    ]
    store.close()
