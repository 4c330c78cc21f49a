"""Detects decisions, made by any process, that affect how files are read."""

from __future__ import annotations

from detector.store import Store


class DecisionWatch:
    """Watches for decisions of any process on rules and on quarantined files."""

    def __init__(self, store: Store) -> None:
        self._history = store.history
        self._seen = self._history.last_entry()

    def changed(self) -> set[str]:
        """Return which of ``rule`` and ``file`` were decided on since the last call."""
        last = self._history.last_entry()
        actions = self._history.actions_between(self._seen, last)
        self._seen = last
        first_words = {action.partition(" ")[0] for action in actions}
        names = {"rule": "rule", "retry": "file", "ignored": "file"}
        return {names[word] for word in first_words if word in names}
