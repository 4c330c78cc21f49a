"""The hunts: the decisions on them, and the results of the last runs of their queries."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from detector.store.database import Database, raises_damaged
from detector.store.decisions.undo_journal import Change, UndoJournal
from detector.store.errors import StateError
from detector.triage.hunt_record import (
    HUNT_FIELDS,
    HuntFinding,
    HuntQuery,
    HuntRecord,
    HuntRun,
    PartVersion,
    check_hunt_texts,
    encode_part,
    make_record,
)

_CURRENT = (
    "SELECT hunt_id, part, at, author, value FROM hunt_part WHERE version_id IN "
    "(SELECT max(version_id) FROM hunt_part GROUP BY hunt_id, part)"
)
_DIGEST_BYTES = 8


class HuntTable:
    """All hunts that were ever begun, stored as parts with all their versions."""

    def __init__(self, database: Database, journal: UndoJournal) -> None:
        self._database = database
        self._journal = journal

    @raises_damaged
    def all(self) -> list[HuntRecord]:
        """Return all hunts: open ones before concluded ones, each group latest change first."""
        parts: dict[str, dict[str, PartVersion]] = defaultdict(dict)
        for hunt_id, part, *version in self._database.rows(_CURRENT):
            parts[hunt_id][part] = PartVersion(*version)
        runs: dict[str, list[HuntRun]] = defaultdict(list)
        for hunt_id, *run in self._database.rows(
            "SELECT hunt_id, query_id, at, author, fingerprint, rows, new FROM hunt_run"
        ):
            runs[hunt_id].append(HuntRun(*run))
        records = [
            make_record(hunt_id, created, author, parts[hunt_id], runs[hunt_id])
            for hunt_id, created, author in self._database.rows(
                "SELECT hunt_id, created, author FROM hunt"
            )
        ]
        return sorted(
            filter(None, records), key=lambda each: (not each.is_open, -each.changed, each.hunt_id)
        )

    def get(self, hunt_id: str) -> HuntRecord:
        """Return the hunt with this id. Raises StateError if there is none."""
        for record in self.all():
            if record.hunt_id == hunt_id:
                return record
        raise StateError(f"no hunt {hunt_id}: trailhound hunts list shows them")

    def versions(self, hunt_id: str) -> dict[str, list[PartVersion]]:
        """Return all versions of each part of a hunt, by part, oldest first."""
        versions: dict[str, list[PartVersion]] = defaultdict(list)
        for part, *version in self._database.rows(
            "SELECT part, at, author, value FROM hunt_part WHERE hunt_id = ? ORDER BY version_id",
            hunt_id,
        ):
            versions[part].append(PartVersion(*version))
        return versions

    # --- decisions; each raises StateError, and ValueError for invalid texts

    def create(self, texts: Mapping[str, str], queries: Sequence[HuntQuery] = ()) -> HuntRecord:
        """Begin a hunt with these texts, by their names in ``HUNT_FIELDS``, and queries."""
        texts = _stripped(texts)
        check_hunt_texts(texts)
        hunt_id = secrets.token_hex(4)
        now, author = int(self._database.clock()), self._database.author
        values = {**texts, "state": "open"}
        for number, query in enumerate(queries):  # keep the given order
            ordered = msgspec.structs.replace(query, created=query.created + number)
            values[query.part] = encode_part(ordered)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO hunt (hunt_id, created, author) VALUES (?, ?, ?)",
                (hunt_id, now, author),
            )
            self._journal.decide(
                connection,
                "hunt begun",
                _changes(hunt_id, texts["name"], values),
                about=texts["name"],
            )
        return self.get(hunt_id)

    def edit(self, shown: HuntRecord, texts: Mapping[str, str]) -> list[str]:
        """Replace texts of a hunt; return the parts that others have changed in the meantime.

        These parts are left unchanged.
        """
        texts = _stripped(texts)
        check_hunt_texts({**shown.texts, **texts})
        return self._decide("hunt edited", shown, texts)

    def conclude(self, shown: HuntRecord, conclusion: str) -> list[str]:
        """Conclude a hunt with a text; returns what ``edit`` returns."""
        if not conclusion.strip():
            raise ValueError("conclusion: say what came of the hunt")
        values = {"conclusion": conclusion.strip(), "state": "concluded"}
        return self._decide("hunt concluded", shown, values)

    def reopen(self, shown: HuntRecord) -> list[str]:
        """Reopen a concluded hunt."""
        return self._decide("hunt reopened", shown, {"state": "open"})

    def save_query(self, shown: HuntRecord, query: HuntQuery) -> list[str]:
        """Save a query of a hunt, either a new query or a new version of an existing one."""
        return self._decide("query saved", shown, {query.part: encode_part(query)})

    def new_query(self, name: str, language: str, text: str) -> HuntQuery:
        """Return a new query, which is not saved yet."""
        return HuntQuery(
            secrets.token_hex(4),
            name,
            language,  # type: ignore[arg-type]
            text,
            int(self._database.clock()),
        )

    def attach(self, hunt_id: str, findings: Iterable[HuntFinding]) -> list[HuntFinding]:
        """Attach findings to a hunt; return those that were not attached before."""
        record = self.get(hunt_id)
        known = {each.part for each in record.findings}
        added = [each for each in findings if each.part not in known]
        self._decide("finding attached", record, {each.part: encode_part(each) for each in added})
        return added

    def remove(self, shown: HuntRecord, parts: Iterable[str]) -> list[str]:
        """Remove queries and findings; their versions stay in the history."""
        return self._decide("removed from hunt", shown, dict.fromkeys(parts, ""))

    def _decide(self, action: str, shown: HuntRecord, values: Mapping[str, str]) -> list[str]:
        before = _values(shown)
        changes = [
            change._replace(shown=before.get(part, ""))
            for part, change in zip(
                values, _changes(shown.hunt_id, shown.name, values), strict=True
            )
        ]
        with self._database.transaction() as connection:
            overtaken = self._journal.decide(connection, action, changes, about=shown.name)
        return [subject.partition("/")[2] for subject in overtaken]

    # --- runs

    def last_rows(self, hunt_id: str, query_id: str, fingerprint: str) -> Set[bytes] | None:
        """Return the digests of the rows of a query's last run.

        None if there was no run, or if the query or scope has changed since (``fingerprint``)."""
        digests = self._database.value(
            "SELECT digests FROM hunt_run WHERE hunt_id = ? AND query_id = ? AND fingerprint = ?",
            hunt_id,
            query_id,
            fingerprint,
        )
        if digests is None:
            return None
        return {
            digests[start : start + _DIGEST_BYTES]
            for start in range(0, len(digests), _DIGEST_BYTES)
        }

    def record_run(
        self,
        hunt_id: str,
        query_id: str,
        fingerprint: str,
        digests: Sequence[bytes],
        new: int | None,
    ) -> None:
        """Store the digests of the rows of a run that read everything; replaces the last run."""
        row = (
            hunt_id,
            query_id,
            self._database.clock(),
            self._database.author,
            fingerprint,
            len(digests),
            new,
            b"".join(digests),
        )
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO hunt_run "
                "(hunt_id, query_id, at, author, fingerprint, rows, new, digests) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )


def _stripped(texts: Mapping[str, str]) -> dict[str, str]:
    unknown = set(texts) - set(HUNT_FIELDS)
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: no text of a hunt")
    return {field: text.strip() for field, text in texts.items()}


def _values(record: HuntRecord) -> dict[str, str]:
    """Return the value of each part of a hunt."""
    values = {**record.texts, "state": str(record.state)}
    values |= {each.part: encode_part(each) for each in record.queries}
    return values | {each.part: encode_part(each) for each in record.findings}


def _changes(hunt_id: str, name: str, values: Mapping[str, str]) -> list[Change]:
    return [Change("hunt", f"{hunt_id}/{part}", value, name) for part, value in values.items()]
