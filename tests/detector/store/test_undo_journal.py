"""Every decision can be taken back and made again, after a restart too; what others changed since stays and is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store
from detector.store import undo_journal as journal_module
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.detector.trail import ANA, REFERENCE, START, call, scan, sweep, write

DAY = 86_400.0
WHO = (ANA, ANA.replace("ana", "ben"), ANA.replace("ana", "cat"))


class Clock:
    now = START + DAY

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with one alert of each of WHO, and a file in quarantine."""
    folder = tmp_path_factory.mktemp("undo")
    write(
        folder / "logs",
        "a.json",
        [record for at, arn in enumerate(WHO) for record in sweep(10, 60 * at, arn=arn)],
    )
    write(folder / "logs", "cut.json", b'{"Records": [}')
    store = Store.open(folder / "hunt.db", Clock())
    scan(folder / "logs", store=store)
    store.close()
    return folder / "hunt.db"


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    held = Store.open(Path(shutil.copy(template, tmp_path)), Clock())
    yield held
    held.close()


def of(store: Store, *who: str) -> list[str]:
    return [alert.alert_id for alert in store.alerts.all() if alert.principal in (who or WHO)]


def hides(store: Store, value: str = ANA, days: float = 7) -> Suppression:
    now = store.database.clock()
    return Suppression("principal", value, None, now, now + days * DAY, "T-1", "sec", "inventory")


def standing(store: Store) -> dict[str, Any]:
    """All that the analyst decided, as it stands."""
    return {
        "alerts": {
            alert.alert_id: (alert.status, alert.suppressed_by) for alert in store.alerts.all()
        },
        "notes": {note.note_id: note.body for note in store.triage.notes()},
        "suppressions": {
            made.suppression_id: (made.value, made.expires, made.lifted)
            for made in store.suppressions.all()
            if not made.undone
        },
        "rules": store.rules.disabled(),
        "files": {row.path: (row.state, row.reason, row.detail) for row in store.files.all()},
    }


# the ways to decide; each is given the state, who is meant, and a number


def _status(store: Store, who: list[str], number: int) -> None:
    store.triage.set_status(of(store, *who), ("open", "acknowledged", "closed")[number])


def _note(store: Store, who: list[str], number: int) -> None:
    store.triage.add_notes(
        [alert for alert in store.alerts.all() if alert.principal in who],
        NoteBody(f"note {number}"),
    )


def _edit(store: Store, _: list[str], number: int) -> None:
    for note in store.triage.notes()[number : number + 1]:
        store.triage.edit_note(note.note_id, NoteBody(f"edited {number}", "benign"))


def _suppress(store: Store, who: list[str], number: int) -> None:
    store.triage.suppress([hides(store, arn, 1 + number) for arn in who])


def _running(store: Store) -> list[str]:
    return [made.suppression_id for made in store.suppressions.all() if not made.over]


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


DECIDE: list[Callable[[Store, list[str], int], None]] = [
    _status,
    _note,
    _edit,
    _suppress,
    _extend,
    _lift,
    _switch,
    _quarantine,
]
MOVES = st.one_of(
    st.sampled_from(["undo", "undo", "redo", "reopen"]),
    st.tuples(
        st.integers(0, len(DECIDE) - 1),
        st.lists(st.sampled_from(WHO), min_size=1, unique=True),
        st.integers(0, 2),
    ),
)


@settings(max_examples=25)
@given(moves=st.lists(MOVES, min_size=3, max_size=14))
def test_any_way_back_and_forth_gives_what_was(
    moves: list[str | tuple[int, list[str], int]],
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Beside a stack of pictures of all that stood; at the end all the way back, reopened, and all
    the way forward."""
    path, clock = Path(shutil.copy(template, tmp_path_factory.mktemp("undo"))), Clock()
    store = Store.open(path, clock)
    pictures, at, told = [standing(store)], 0, 0

    def turn(step: int) -> None:
        nonlocal at
        ahead = 0 <= at + step < len(pictures)
        turned = store.undo() if step < 0 else store.redo()
        assert (turned is not None) is ahead
        at += step if ahead else 0
        assert turned is None or (turned.unchanged, bool(turned.subjects)) == ([], True)
        assert standing(store) == pictures[at]

    for move in moves:
        if move == "reopen":
            store.close()
            store = Store.open(path, clock)
        elif isinstance(move, str):
            turn({"undo": -1, "redo": 1}[move])
        else:
            DECIDE[move[0]](store, *move[1:])
            if (now := standing(store)) != pictures[at]:
                pictures[at + 1 :], at = [now], at + 1
        assert standing(store) == pictures[at]
        kept = store.database.value(
            "SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM note_words)"
        )
        assert kept >= told  # nothing that was done or undone is forgotten
        told = kept
    while at:
        turn(-1)
    turn(-1)
    store.close()
    store = Store.open(path, clock)
    while at < len(pictures) - 1:
        turn(1)
    turn(1)
    store.close()


def test_it_says_what_it_takes_back(store: Store) -> None:
    store.triage.set_status(of(store, ANA), "closed")
    store.triage.set_status(of(store), "acknowledged")
    made = store.triage.suppress([hides(store)])
    told = [store.undo() for _ in range(4)]
    assert [
        (turned.decision.action, turned.decision.subject_name, turned.decision.count)
        for turned in told
        if turned
    ] == [("created", ANA, 1), ("acknowledged", "", 3), ("closed", ANA, 1)]
    assert told[3] is None
    assert told[1] is not None
    assert sorted(alert.status for alert in told[1].alerts) == ["closed", "open", "open"]
    assert sorted(told[1].subjects) == sorted(of(store))
    assert [entry.kind for entry in store.history.entries(made[0].suppression_id)] == [
        "created",
        "created undone",
    ]
    assert [
        (entry.kind, entry.detail)
        for entry in store.history.entries(of(store, ANA)[0])
        if entry.kind != "hidden"
    ] == [
        ("closed", "open -> closed"),
        ("acknowledged", "closed -> acknowledged"),
        ("acknowledged undone", "acknowledged -> closed"),
        ("closed undone", "closed -> open"),
    ]


def test_a_note_that_was_taken_back_keeps_its_words(store: Store) -> None:
    alert = store.alerts.all()[0]
    [note] = store.triage.add_notes([alert], NoteBody("hm", "suspicious"))
    store.undo()
    assert store.triage.notes() == []
    store.redo()
    [again] = store.triage.notes()
    assert (again.note_id, again.body) == (note.note_id, note.body)
    assert [edit.body for edit in again.history] == [note.body, None]
    assert [(entry.kind, entry.detail) for entry in store.history.entries(alert.alert_id)] == [
        ("note", "#1 suspicious"),
        ("note undone", "#1 suspicious"),
        ("note redone", "#1 suspicious"),
    ]


def test_only_what_is_as_it_was_left_is_taken_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colleague at the same state closes one of three alerts: neither takes back what the other
    did."""
    ana, ben = of(store, ANA)[0], of(store, WHO[1])[0]
    store.triage.set_status(of(store), "acknowledged")
    monkeypatch.setattr(journal_module, "current_user", lambda: "colleague")
    store.triage.set_status([ben], "closed")
    monkeypatch.undo()
    turned = store.undo()
    assert turned is not None
    assert (len(turned.subjects), turned.unchanged) == (2, [ben])
    assert {alert.alert_id: alert.status for alert in store.alerts.all()}[ben] == "closed"
    store.triage.set_status([ana], "closed")
    monkeypatch.setattr(journal_module, "current_user", lambda: "colleague")
    assert store.undo() is not None
    assert {alert.alert_id: alert.status for alert in store.alerts.all()} == {
        ana: "closed",
        ben: "acknowledged",
        of(store, WHO[2])[0]: "open",
    }


def test_what_cannot_be_taken_back_at_all_is_not_in_the_way(store: Store) -> None:
    store.triage.set_status(of(store, ANA), "acknowledged")
    store.quarantine.ignore([file.path for file in store.quarantine.files()])
    with store.database.transaction() as db:  # as the pipeline does, where the file is whole by now
        db.execute("UPDATE file SET state = 'read', reason = NULL, detail = NULL")
    turned = store.undo()
    assert turned is not None
    assert (turned.subjects, len(turned.unchanged)) == ([], 1)
    assert store.redo() is None
    turned = store.undo()
    assert turned is not None
    assert turned.decision.action == "acknowledged"


def test_a_suppression_made_again_hides_what_came_while_it_did_not(
    store: Store, tmp_path: Path
) -> None:
    [made] = store.triage.suppress([hides(store)])
    store.undo()
    assert [made.undone is not None for made in store.suppressions.all()] == [True]
    write(tmp_path / "more", "b.json", sweep(10, 600))
    scan(tmp_path / "more", store=store)
    assert all(alert.suppressed_by is None for alert in store.alerts.all())
    store.redo()
    assert [alert.suppressed_by for alert in store.alerts.all() if alert.principal == ANA] == [
        made.suppression_id
    ] * 2
    assert store.suppressions.all()[0].hidden == 2


def test_a_decision_follows_the_alert_that_late_records_move(tmp_path: Path) -> None:
    store = Store.open(None, Clock())
    write(tmp_path, "a.json", sweep(10, 60))
    [before] = scan(tmp_path, store=store, mode="sliding").alerts
    store.triage.set_status([before.alert_id], "closed")
    write(tmp_path, "late.json", [call(50, "me-south-1")])
    after: Alert
    [after] = scan(tmp_path, store=store, mode="sliding").alerts
    assert (after.alert_id != before.alert_id, after.status) == (True, "closed")
    turned = store.undo()
    assert turned is not None
    assert [(alert.alert_id, alert.status) for alert in turned.alerts] == [(after.alert_id, "open")]
    store.close()


def test_a_file_put_back_into_quarantine_is_not_read(tmp_path: Path) -> None:
    store = Store.open(None, Clock())
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
