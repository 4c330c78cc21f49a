"""The view model: nothing that arrives while the store loads is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from detector.detection.alert import Alert
from detector.sources.accounting import Accounting
from tests.detector.alerts import changed_alert
from tests.tui.build import START, alert, note, suppression, update
from tui.model import inbox as inbox_module
from tui.model.inbox import UpdateInbox
from tui.model.view_model import Snapshot, ViewModel, changed_by_suppressions


def read(view_model: ViewModel, *parts: Sequence[Alert], **changed: object) -> None:
    """The store was read, in these parts."""
    for part in parts:
        view_model.load_part(part)
    names = frozenset(each.alert_id for part in parts for each in part)
    fields = {
        "alert_ids": names,
        "notes": (),
        "suppressions": (),
        "accounting": Accounting(),
        **changed,
    }
    view_model.load(Snapshot(**fields))


def closed(one: Alert) -> Alert:
    return changed_alert(one, status="closed")


@pytest.fixture
def view_model() -> ViewModel:
    made = ViewModel()
    read(made, [alert("a"), alert("b")])
    return made


def test_update_adds_changes_and_removes_alerts(view_model: ViewModel) -> None:
    view_model.update(update(alert("a", revision=2), alert("c"), withdrawn=("b",), newest=9), START)
    assert {name: one.revision for name, one in view_model.alerts.items()} == {"a": 2, "c": 1}
    assert view_model.newest == 9


def test_updates_during_load_win_over_snapshot(view_model: ViewModel) -> None:
    view_model.expect_snapshot()
    view_model.update(update(alert("new"), withdrawn=("b",)), START)
    view_model.replace_alerts([closed(alert("a"))])
    view_model.put_note(note(7))
    view_model.put_suppression(suppression())
    read(view_model, [alert("a"), alert("b")])
    assert {name: one.status for name, one in view_model.alerts.items()} == {
        "a": "closed",
        "new": "open",
    }
    assert [entry.note_id for entry in view_model.notes] == [7]
    assert [entry.suppression_id for entry in view_model.suppressions] == ["s"]


def test_update_between_parts_wins_over_both(view_model: ViewModel) -> None:
    former = view_model.alerts["a"]
    view_model.expect_snapshot()
    view_model.load_part([alert("a")])
    view_model.update(update(alert("c", revision=3), withdrawn=("b",)), START)
    view_model.load_part([alert("b"), alert("c", revision=2), alert("d")])
    read(view_model, [alert("a"), alert("b"), alert("c", revision=2), alert("d")])
    assert {name: one.revision for name, one in view_model.alerts.items()} == {
        "a": 1,
        "c": 3,
        "d": 1,
    }
    assert view_model.alerts["a"] is former, "what has not changed stays the same object"


def test_load_removes_what_store_lacks(view_model: ViewModel) -> None:
    view_model.expect_snapshot()
    view_model.update(update(alert("new")), START)
    read(view_model, [alert("b")])
    assert sorted(view_model.alerts) == ["b", "new"]


def test_suppressions_are_reapplied_without_store(
    view_model: ViewModel,
) -> None:
    other = alert("other", arns=["arn:aws:iam::111122223333:user/other"])
    view_model.update(update(other), START)
    view_model.put_suppression(suppression())
    pairs = changed_by_suppressions(view_model.alerts.values(), view_model.active(START))
    assert sorted(after.alert_id for _, after in pairs) == ["a", "b"]
    view_model.update(update(alert("b", revision=2)), START)
    view_model.reapply_suppressions(pairs)
    assert {name: one.suppressed_by for name, one in view_model.alerts.items()} == {
        "a": "s",
        "b": "s",
        "other": None,
    }
    assert view_model.alerts["b"].revision == 2, "what changed meanwhile stays"
    assert changed_by_suppressions(view_model.alerts.values(), view_model.active(START)) == []
    view_model.reapply_suppressions(
        changed_by_suppressions(view_model.alerts.values(), view_model.active(START + 3600))
    )
    assert not any(one.suppressed_by for one in view_model.alerts.values())


def test_accounting_never_goes_back(view_model: ViewModel) -> None:
    view_model.expect_snapshot()
    view_model.update(update(read=5), START)
    read(view_model, accounting=Accounting(files_read=3))
    assert view_model.accounting == Accounting(files_read=5)


def test_late_update_keeps_status(view_model: ViewModel) -> None:
    view_model.replace_alerts([closed(alert("a"))])
    view_model.update(update(alert("a", revision=2)), START)
    assert (view_model.alerts["a"].status, view_model.alerts["a"].revision) == ("closed", 2)


@pytest.mark.parametrize(("now", "hidden_by"), [(START, "s"), (START + 3600, None)])
def test_active_suppression_hides_update(
    view_model: ViewModel, now: float, hidden_by: str | None
) -> None:
    view_model.put_suppression(suppression())
    view_model.update(update(alert("c")), now)
    assert view_model.alerts["c"].suppressed_by == hidden_by


def test_next_expiry_ignores_inactive_suppressions(view_model: ViewModel) -> None:
    view_model.put_suppression(suppression("long", expires=START + 9000))
    view_model.put_suppression(suppression("short", expires=START + 60))
    view_model.put_suppression(suppression("lifted", expires=START + 10, lifted=START + 1))
    assert view_model.next_expiry(START + 2) == START + 60
    assert view_model.next_expiry(START + 9000) is None


def test_edited_note_replaces_former(view_model: ViewModel) -> None:
    view_model.put_note(note(1, created=START))
    view_model.put_note(note(2, created=START + 1))
    view_model.put_note(note(1, created=START, text="changed"))
    assert [(entry.note_id, entry.body.text) for entry in view_model.notes] == [
        (2, ""),
        (1, "changed"),
    ]


def test_notes_include_those_of_superseded_alerts(
    view_model: ViewModel,
) -> None:
    joined = alert("joined", supersedes=["a"])
    view_model.put_note(note(1, of=alert("a")))
    view_model.put_note(note(2, of=alert("b")))
    assert [entry.note_id for entry in view_model.notes_of(joined)] == [1]


def test_superseded_id_gives_current_alert(view_model: ViewModel) -> None:
    view_model.update(update(alert("joined", supersedes=["a"]), withdrawn=("a",)), START)
    current = view_model.current("a")
    assert current is not None
    assert current.alert_id == "joined"


def test_inbox_asks_once_to_be_emptied() -> None:
    inbox = UpdateInbox()
    assert [inbox.put(update(alert("a"))), inbox.put(update(alert("b")))] == [True, False]
    inbox.take()
    assert inbox.take() == (None, False)
    assert inbox.put(update())


def test_inbox_merges_in_order() -> None:
    inbox = UpdateInbox()
    inbox.put(
        update(
            alert("a"), alert("b"), withdrawn=("gone", "back"), problems=("one",), read=1, newest=4
        )
    )
    inbox.put(
        update(
            alert("a", revision=2),
            alert("back", revision=3),
            withdrawn=("b",),
            problems=("two",),
            read=2,
        )
    )
    batch, more = inbox.take()
    assert batch is not None
    assert not more
    assert {one.alert_id: one.revision for one in batch.alerts} == {"a": 2, "back": 3}
    assert set(batch.withdrawn) == {"gone", "b"}
    assert (batch.problems, batch.accounting.files_read, batch.newest) == (("one", "two"), 2, 4)


def test_inbox_splits_large_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "_BATCH_ALERTS", 2)
    inbox, taken, more = UpdateInbox(), list[str](), True
    inbox.put(update(*(alert(name) for name in "abcde"), withdrawn=("gone",), problems=("one",)))
    withdrawn, problems = list[str](), list[str]()
    while more:
        batch, more = inbox.take()
        assert batch is not None
        assert len(batch.alerts) <= 2
        taken += [one.alert_id for one in batch.alerts]
        withdrawn += batch.withdrawn
        problems += batch.problems
    assert (taken, withdrawn, problems) == (list("abcde"), ["gone"], ["one"])
