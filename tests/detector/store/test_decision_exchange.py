"""Decisions that travel from one state to another."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.store import StateError, Store
from detector.triage.note import NoteBody
from detector.triage.shared_decisions import decision_lines, read_decision
from tests.clock import Clock
from tests.commandline.cli import Cli, one_line
from tests.detector.store.test_undo_journal import (
    DAY,
    DECIDE,
    STEPS,
    WHO,
    _assign,
    _status,
    ids_of,
    known,
    suppression,
)
from tests.detector.trail import START, sweep, write
from tests.detector.trail import scan as read_logs


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with an alert of each principal."""
    folder = tmp_path_factory.mktemp("exchange")
    for index, arn in enumerate(WHO):
        write(folder / "logs", f"{index}.json", sweep(10, 60 * index, arn=arn))
    store = Store.open(folder / "hunt.db", Clock(START + DAY, step=1))
    read_logs(folder / "logs", store=store)
    store.close()
    return folder / "hunt.db"


def exported(store: Store) -> str:
    return decision_lines(store.exchange.decisions())


def join(store: Store, lines: str) -> tuple[int, list[str]]:
    return store.exchange.join([read_decision(line) for line in lines.encode().splitlines()])


@settings(max_examples=25)
@given(
    steps=st.lists(STEPS, max_size=12),
    others=st.lists(STEPS, max_size=8),
    pace=st.sampled_from([0.0, 0.3, 7.0]),
)
def test_export_joins_states_and_changes_nothing_twice(
    steps: list[str | tuple[int, list[str], int]],
    others: list[str | tuple[int, list[str], int]],
    pace: float,
    template: Path,
) -> None:
    """An empty state exports the same lines; any state is as before when it is joined again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(
            Store.open(Path(shutil.copy(template, folder)), Clock(START + DAY + 0.7, pace), "one")
        ) as one,
        closing(
            Store.open(
                Path(shutil.copy(template, f"{folder}/two.db")), Clock(START + DAY, pace), "two"
            )
        ) as two,
        closing(Store.open(None, Clock(START + 2 * DAY), "three")) as empty,
    ):
        for store, decided in ((one, steps), (two, others)):
            for step in decided:
                if isinstance(step, tuple):
                    kind, who, number = step
                    DECIDE[kind](store, who, number)
                elif step in ("undo", "redo"):
                    getattr(store, step)()
        lines = exported(one)
        join(empty, lines)
        assert exported(empty) == lines
        for target in (one, empty):
            assert join(target, lines) == (0, [])
            assert exported(target) == lines
        statuses = {alert.alert_id: alert.status for alert in two.alerts.all()}
        join(two, lines)
        joined = exported(two), [two.history.entries(alert_id) for alert_id in statuses]
        assert join(two, lines) == (0, [])
        assert joined == (
            exported(two),
            [two.history.entries(alert_id) for alert_id in statuses],
        )
        texts = {note.uid: note.body for note in two.triage.notes()}
        for note in one.triage.notes():
            assert note.uid in texts


MADE = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["status", "assignee", "extend", "lift"]),
        st.integers(0, 2),
    ),
    max_size=4,
)
"""When a decision is made, of which kind, and which."""


@settings(max_examples=40)
@given(made=st.lists(MADE, min_size=3, max_size=3), order=st.permutations(range(3)))
def test_states_come_to_the_same_in_whatever_order_they_are_joined(
    made: list[list[tuple[int, str, int]]], order: list[int], template: Path
) -> None:
    """Also decisions of one second, and the same decision by two."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        clocks = [Clock(START + DAY) for _ in made]
        stores = [
            stack.enter_context(
                closing(
                    Store.open(
                        Path(shutil.copy(template, f"{folder}/{name}.db")), clocks[number], name
                    )
                )
            )
            for number, name in enumerate(("ana", "ben", "cat"))
        ]
        [hidden] = stores[0].triage.suppress([suppression(stores[0])])
        for store in stores[1:]:
            join(store, exported(stores[0]))
        for clock, store, decisions in zip(clocks, stores, made, strict=True):
            for at, kind, number in sorted(decisions):
                clock.now = START + DAY + 10 + at
                if kind == "extend":
                    with contextlib.suppress(StateError):  # it was lifted
                        store.triage.extend([hidden.suppression_id], hidden.expires + number * DAY)
                elif kind == "lift":
                    store.triage.lift([hidden.suppression_id])
                elif kind == "status":
                    _status(store, [WHO[0]], number)
                else:
                    _assign(store, [WHO[0]], number)
        before = [exported(store) for store in stores]
        one, two = stores[0], Store.open(None, Clock(START + DAY), "one more")
        with closing(two):
            for lines in before[1:]:
                join(one, lines)
            for number in order:
                join(two, before[number])
            assert exported(two) == exported(one)


def test_conflicts_are_told_and_kept(template: Path, tmp_path: Path) -> None:
    """The later decision stands, whichever state it was made in."""
    clock = Clock(START + DAY, step=1)
    with (
        closing(Store.open(Path(shutil.copy(template, tmp_path / "1.db")), clock, "one")) as one,
        closing(Store.open(Path(shutil.copy(template, tmp_path / "2.db")), clock, "two")) as two,
    ):
        ana, ben, cat = (ids_of(one, who)[0] for who in WHO)
        [note] = one.triage.add_notes(one.alerts.all()[:1], NoteBody("first"))
        [hidden] = one.triage.suppress([suppression(one)])
        assert join(two, exported(one)) == (2, [])
        one.triage.set_status([ana, cat], "acknowledged")
        two.triage.set_status([ana], "closed")
        two.triage.set_status([ben], "closed")
        one.triage.set_status([ben], "acknowledged")
        one.triage.edit_note(note.note_id, NoteBody("of one"))
        two.triage.edit_note(note.note_id, NoteBody("of two"))
        one.triage.extend([hidden.suppression_id], hidden.expires + DAY)
        two.triage.lift([hidden.suppression_id])
        new, conflicts = join(two, exported(one))
        assert (new, len(conflicts)) == (5, 4)
        stands = {alert.alert_id: alert.status for alert in two.alerts.all()}
        assert stands == {ana: "closed", ben: "acknowledged", cat: "acknowledged"}
        [kept] = two.triage.notes()
        assert [kept.body.text, *(edit.body and edit.body.text for edit in kept.history)] == [
            "of two",
            "first",
            "of one",
        ]
        [suppressed] = two.suppressions.all()
        assert suppressed.over == "lifted"
        told = [(entry.author, entry.kind) for entry in two.history.entries(ana)]
        assert told[-2:] == [("two", "closed"), ("one", "acknowledged imported")]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        "{}",
        '{"type":"alert"}',
        '{"type":"status","alert_id":"x","status":"gone","at":null,"author":null}',
        '{"type":"status","alert_id":"x","status":"open","at":"yesterday","author":null}',
        '{"type":"suppression","scope":"principal","value":""}',
    ],
)
def test_bad_line_imports_nothing(line: str, cli: Cli, template: Path, tmp_path: Path) -> None:
    db = Path(shutil.copy(template, tmp_path))
    with closing(Store.open(db)) as store:
        store.triage.set_status(ids_of(store), "closed")
        lines = exported(store)
    file = write(tmp_path, "theirs.jsonl", lines.encode() + line.encode() + b"\n")
    new = tmp_path / "new.db"
    one_line(
        cli("log", "import", file, "--db", new),
        1,
        "theirs.jsonl:4: ",
        "nothing was imported: name a file",
    )
    assert not new.exists()
    one_line(cli("log", "import", tmp_path / "none", "--db", new), 1, "check the name")
    file.write_text(lines)
    assert cli("log", "import", file, "--db", new).err == "3 of 3 decisions new here\n"
    assert cli("log", "import", file, "--db", new).err == "0 of 3 decisions new here\n"
    assert cli("log", "export", "--format", "jsonl", "--db", new).out == lines


def test_watches_travel_and_are_looked_for(tmp_path: Path) -> None:
    """One that is looked for already adds nothing; what has ended stays so."""
    clock = Clock(START + DAY, step=1)
    with (
        closing(Store.open(None, clock, "one")) as one,
        closing(Store.open(None, clock, "two")) as two,
    ):
        [watch] = one.watches.add([known(WHO[0])], "case 7")
        own = two.watches.add([known(WHO[1])])
        one.watches.add([known(WHO[1])])
        assert join(two, exported(one)) == (1, [])
        assert two.watches.active() == [watch, *own]
        logs = write(tmp_path / "logs", "a.json", sweep(10, arn=WHO[0])).parent
        read_logs(logs, store=two)
        [seen] = [row for row in two.watches.all() if row.watch.watch_id == watch.watch_id]
        assert (seen.state, seen.sightings) == ("seen", 10)
        one.watches.lift([watch.watch_id])
        two.watches.acknowledge([watch.watch_id])
        told = f"watch {watch.watch_id}: changed in both states, the later change stands"
        assert join(two, exported(one)) == (1, [told])
        assert two.watches.active() == own
        assert join(two, exported(one)) == (0, [])


@pytest.mark.parametrize(
    "changed",
    [
        {"indicator": "x"},
        {"kind": "key"},
        {"indicator": "# nothing"},
        {"created": "no"},
        {"watch_id": "a\r\nX-Header: 1"},
    ],
)
def test_watches_that_are_none_are_refused(changed: dict[str, str]) -> None:
    with closing(Store.open(None, Clock(START + DAY), "one")) as one:
        one.watches.add([known(WHO[0])])
        fields = json.loads(exported(one)) | changed
        with pytest.raises(ValueError, match=r"indicator|time|id of a watch"):
            read_decision(json.dumps(fields).encode())
