"""The rules: which are in use, which are switched off, and what each found."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from detector.detection.derive import max_gap
from detector.rules.rule import Rule
from detector.rules.rule_summary import WindowMode
from detector.rules.ruleset import RuleSet
from detector.store.database import Database, raises_damaged
from detector.store.decisions.undo_journal import Change, UndoJournal
from detector.store.packing.signal_rows import all_signals


class RuleCount(msgspec.Struct, frozen=True):
    """What a rule has found.

    ``hits`` is the number of events in its windows (an event with several keys counts once per
    key), ``alerts`` the number of alerts that were derived from them.
    """

    hits: int = 0
    alerts: int = 0


class RuleChanges(NamedTuple):
    """How a rule set differs from the stored one."""

    new: list[Rule]
    """Rules that are new or changed, or whose windows cannot be recut in the new window mode."""
    recut: list[Rule]
    """Unchanged rules whose windows must be recut in the new window mode."""
    any_removed: bool


class RuleTable:
    """The rules of a state.

    ``in_use`` holds, by rule id, the rules with which files are searched now.
    """

    def __init__(self, database: Database, journal: UndoJournal) -> None:
        self._database = database
        self._journal = journal
        self.in_use: Mapping[str, Rule] = {}
        self.mode: WindowMode = "tumbling"
        self.generation = 0
        """The generation of the rules in use; files of another generation are searched again."""

    def widths(self) -> dict[str, int]:
        """Return the bucket width of each rule in use, in seconds, by rule id."""
        return {rule_id: rule.query.window or 1 for rule_id, rule in self.in_use.items()}

    def searched_by(self, rule_id: str) -> str | None:
        """Return the fingerprint of the stored version of a rule; None if it is not stored."""
        found = self._database.rows("SELECT fingerprint FROM rule WHERE rule_id = ?", rule_id)
        return found[0][0] if found else None

    def disabled(self) -> frozenset[str]:
        """Return the ids of the rules that are switched off."""
        return frozenset(
            rule_id for (rule_id,) in self._database.rows("SELECT rule_id FROM rule_off")
        )

    def switch(self, rule_ids: Sequence[str], on: bool) -> None:
        """Switch rules on or off, with effect from the next ``use``."""
        state = "on" if on else "off"
        changes = []
        for rule_id in rule_ids:
            rule = self.in_use.get(rule_id)
            changes.append(Change("rule", rule_id, state, rule.name if rule else rule_id))
        with self._database.transaction() as connection:
            self._journal.decide(connection, f"rule {state}", changes)

    def counts(self) -> dict[str, RuleCount]:
        """Return what each rule has found, by rule id; rules that found nothing are left out."""
        hits = dict(
            self._database.rows(
                "SELECT j.key, sum(j.value) FROM segment, json_each(hits) j GROUP BY j.key"
            )
        )
        alerts = dict(
            self._database.rows(
                "SELECT rule_id, count(*) FROM series JOIN alert USING (series_id) GROUP BY rule_id"
            )
        )
        return {
            rule_id: RuleCount(hits.get(rule_id, 0), alerts.get(rule_id, 0))
            for rule_id in hits | alerts
        }

    @raises_damaged
    def flag_counts(self) -> dict[str, int]:
        """Return the number of signal events, by flag."""
        identities: dict[str, set[bytes]] = defaultdict(set)
        for flag, _, identity in all_signals(self._database.rows):
            identities[flag].add(identity)
        return {flag: len(found) for flag, found in sorted(identities.items())}

    def compare(self, connection: sqlite3.Connection, rules: RuleSet) -> RuleChanges:
        """Compare a rule set with the one that the files were searched with."""
        stored = {
            rule_id: (fingerprint, mode)
            for rule_id, fingerprint, mode in connection.execute(
                "SELECT rule_id, fingerprint, mode FROM rule"
            )
        }
        whole = {
            rule_id
            for (rule_id,) in connection.execute(
                "SELECT rule_id FROM rule "
                "EXCEPT SELECT rule_id FROM series WHERE gone_first IS NOT NULL"
            )
        }
        new: list[Rule] = []
        recut: list[Rule] = []
        for rule in rules:
            fingerprint, mode = stored.get(rule.rule_id, (None, None))
            if fingerprint != rule.fingerprint:
                new.append(rule)
            elif mode != rules.mode:
                # Windows that have lost hits to eviction cannot be recut in another mode.
                (recut if rule.rule_id in whole else new).append(rule)
        present = {rule.rule_id for rule in rules}
        return RuleChanges(new, recut, bool(stored.keys() - present))

    def replace(self, connection: sqlite3.Connection, rules: RuleSet) -> None:
        """Replace the stored rules by those with which files are searched from now on."""
        connection.execute("DELETE FROM rule")
        connection.executemany(
            "INSERT INTO rule (rule_id, fingerprint, mode, reach) VALUES (?, ?, ?, ?)",
            [
                (rule.rule_id, rule.fingerprint, rules.mode, max_gap(rule, rules.mode))
                for rule in rules
            ],
        )
        connection.executemany(
            "INSERT INTO rule_number (rule_id, width) VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET width = excluded.width",
            [(rule.rule_id, rule.query.window or 1) for rule in rules],
        )
