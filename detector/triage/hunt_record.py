"""Hunts as records: a hypothesis, a scope, queries, findings, a conclusion.

A hunt is stored in parts, each with its own versions: two people working on one hunt overwrite each
other's changes only if both change the same part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from detector.detection.activity.actor import actor_of_arn
from detector.detection.event import Event
from detector.text.late_pattern import late_pattern
from detector.text.plural import plural
from detector.text.time import format_time, parse_date_span

HuntState = Literal["open", "concluded"]
QueryLanguage = Literal["esql", "kql", "lucene", "eql"]
FindingKind = Literal["alert", "principal", "event"]

HUNT_STATES: tuple[HuntState, ...] = get_args(HuntState)
QUERY_LANGUAGES: tuple[QueryLanguage, ...] = get_args(QueryLanguage)

HUNT_FIELDS = ("name", "hypothesis", "since", "until", "accounts", "principals", "conclusion")
"""The text parts of a hunt, each stored as it was typed."""

_TEXT_PARTS = (*HUNT_FIELDS, "state")
_ACCOUNT = late_pattern(r"[0-9]{12}")
_NAME_LENGTH = 120
_DETAIL_LENGTH = 100
_SEPARATORS = late_pattern(r"[\s,]+")


class HuntQuery(msgspec.Struct, frozen=True):
    """A saved query; ``created``, in epoch seconds, orders a hunt's queries."""

    query_id: str
    name: str
    language: QueryLanguage
    text: str
    created: int = 0

    @property
    def part(self) -> str:
        return f"query:{self.query_id}"


class HuntFinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item attached to a hunt, with what was known of it at that time.

    ``subject`` is an alert id, a principal's name or an event id. ``title`` says who, ``summary``
    says what. ``time`` is the event time in epoch seconds. ``event`` leads back to the record.
    ``author`` and ``added`` (epoch seconds) come from the part's version.
    """

    kind: FindingKind
    subject: str
    title: str
    summary: str = ""
    time: int | None = None
    event: Event | None = None
    author: str = ""
    added: int = 0

    @property
    def part(self) -> str:
        return f"finding:{self.kind}:{self.subject}"


class HuntRun(NamedTuple):
    """The latest run of a query: its time (epoch seconds), author and rows.

    ``fingerprint`` changes with the query's text and the scope; ``new`` counts rows that the
    previous run did not have, and is None if there was no run to compare with.
    """

    query_id: str
    time: float
    author: str
    fingerprint: str
    rows: int
    new: int | None

    @property
    def phrase(self) -> str:
        """The number of rows, and of new rows, in a few words."""
        new = "" if self.new is None else f", {self.new:,} new"
        return f"{plural(self.rows, 'row')}{new}"


class PartVersion(NamedTuple):
    """A version of a part: epoch seconds, author, value; an empty value removes the part."""

    time: int
    author: str
    value: str


class HuntRecord(msgspec.Struct, frozen=True):
    """The current state of a hunt, built from its parts; times in epoch seconds."""

    hunt_id: str
    created: int
    author: str
    changed: int
    changed_by: str
    texts: Mapping[str, str]
    state: HuntState
    queries: tuple[HuntQuery, ...] = ()
    findings: tuple[HuntFinding, ...] = ()
    runs: tuple[HuntRun, ...] = ()

    @property
    def name(self) -> str:
        return self.texts.get("name", "")

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    @property
    def scope(self) -> HuntScope:
        return HuntScope.of(self.texts)

    def run_of(self, query_id: str) -> HuntRun | None:
        """Return the latest run of a query."""
        return next((run for run in self.runs if run.query_id == query_id), None)

    def query(self, query_id: str) -> HuntQuery | None:
        """Return the query with this id."""
        return next((each for each in self.queries if each.query_id == query_id), None)

    def finding(self, part: str) -> HuntFinding | None:
        """Return the finding stored as this part."""
        return next((each for each in self.findings if each.part == part), None)


class HuntScope(NamedTuple):
    """The events that a hunt is about; an empty field or None sets no limit.

    The span is ``[since, until)``, in epoch seconds.
    """

    since: int | None = None
    until: int | None = None
    accounts: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> HuntScope:
        """Read the scope from a hunt's texts. Raises ValueError, which gives the reason."""
        since, until = _time(texts, "since", 0), _time(texts, "until", 1)
        accounts = split_names(texts.get("accounts", ""))
        wrong = next((each for each in accounts if not _ACCOUNT.fullmatch(each)), None)
        if wrong is not None:
            raise ValueError(f"accounts: {wrong} is not an account id of 12 digits")
        return cls(
            since, until, frozenset(accounts), frozenset(split_names(texts.get("principals", "")))
        )

    def contains(self, time: int) -> bool:
        """Tell whether a time is in the span."""
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )

    def accepts(self, account: str, names: Iterable[str | None]) -> bool:
        """Tell whether the scope includes an account's events by a caller with these names."""
        if self.accounts and account not in self.accounts:
            return False
        if not self.principals:
            return True
        known = {name for name in names if name}
        known |= {actor_of_arn(name).name for name in known if name.startswith("arn:")}
        return not self.principals.isdisjoint(known)

    @property
    def phrase(self) -> str:
        """The scope in a line."""
        times = [
            f"{word} {format_time(time)}"
            for word, time in (("since", self.since), ("until", self.until))
            if time is not None
        ]
        accounts = f"accounts {', '.join(sorted(self.accounts))}" if self.accounts else ""
        principals = f"principals {', '.join(sorted(self.principals))}" if self.principals else ""
        return ", ".join(filter(None, (*times, accounts, principals))) or "all logs"


UNLIMITED = HuntScope()
"""The scope without limits."""


def split_names(text: str) -> list[str]:
    """Split names separated by blanks or commas."""
    return [each for each in _SEPARATORS.split(text) if each]


def check_hunt_texts(texts: Mapping[str, str]) -> None:
    """Raise ValueError, which gives the reason, if a hunt's texts are invalid."""
    name = texts.get("name", "").strip()
    if not name:
        raise ValueError("name: enter a name for the hunt")
    if len(name) > _NAME_LENGTH or not name.isprintable():
        raise ValueError(f"name: one line of {_NAME_LENGTH} characters at most")
    scope = HuntScope.of(texts)
    if scope.since is not None and scope.until is not None and scope.since >= scope.until:
        raise ValueError("since: not before until")


def checked_part(part: str, value: str) -> str:
    """Return a part's value as it is stored. Raises ValueError if the value is invalid."""
    if not value and (part in _TEXT_PARTS or part.startswith(("query:", "finding:"))):
        return value
    if part in HUNT_FIELDS:
        check_hunt_texts({"name": "any", part: value})
        return value
    if part == "state":
        if value not in HUNT_STATES:
            raise ValueError(f"{value!r} is not open or concluded")
        return value
    try:
        decoded = decode_part(part, value)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{part}: {error}") from None
    if decoded.part != part:
        raise ValueError(f"{part!r} is not the part of its value")
    return encode_part(decoded)


def decode_part(part: str, value: str) -> HuntQuery | HuntFinding:
    """Decode a query or finding. Raises MsgspecError, or ValueError for other parts."""
    kind = part.partition(":")[0]
    if kind == "query":
        return msgspec.json.decode(value, type=HuntQuery)
    if kind == "finding":
        return msgspec.json.decode(value, type=HuntFinding)
    raise ValueError(f"{part!r} is not a part of a hunt")


def encode_part(value: HuntQuery | HuntFinding) -> str:
    """Encode a query or finding as the value of its part."""
    if isinstance(value, HuntFinding):
        value = msgspec.structs.replace(value, author="", added=0)
    return msgspec.json.encode(value).decode()


def describe_part(part: str, before: str, after: str) -> str:
    """Describe a part's change in one line, for the history."""
    if ":" not in part:
        now = _one_line(after) if after else "removed"
        return f"{part}: {now}" + (f", was {_one_line(before)}" if before else "")
    try:
        named = decode_part(part, after or before)
    except (ValueError, msgspec.MsgspecError):
        return part
    if isinstance(named, HuntQuery):
        return f"query {_one_line(named.name)}"
    return f"{named.kind} {_one_line(named.title)} {_one_line(named.subject)}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _DETAIL_LENGTH else f"{line[: _DETAIL_LENGTH - 1]}…"


def make_record(
    hunt_id: str,
    created: int,
    author: str,
    current: Mapping[str, PartVersion],
    runs: Sequence[HuntRun] = (),
) -> HuntRecord | None:
    """Build a hunt from its parts; None if its creation was undone."""
    values = {part: version for part, version in current.items() if version.value}
    if "name" not in values:
        return None
    queries: list[HuntQuery] = []
    findings: list[HuntFinding] = []
    for part, version in values.items():
        if ":" not in part:
            continue
        decoded = decode_part(part, version.value)
        if isinstance(decoded, HuntQuery):
            queries.append(decoded)
        else:
            findings.append(
                msgspec.structs.replace(decoded, author=version.author, added=version.time)
            )
    last = max(current.values(), key=lambda version: (version.time, version.author))
    is_concluded = "state" in values and values["state"].value == "concluded"
    return HuntRecord(
        hunt_id=hunt_id,
        created=created,
        author=author,
        changed=last.time,
        changed_by=last.author,
        texts={part: version.value for part, version in values.items() if part in HUNT_FIELDS},
        state="concluded" if is_concluded else "open",
        queries=tuple(sorted(queries, key=lambda each: (each.created, each.query_id))),
        findings=tuple(sorted(findings, key=lambda each: (each.added, each.part))),
        runs=tuple(runs),
    )


def hunt_object(record: HuntRecord) -> dict[str, Any]:
    """Return the object that ``--format jsonl`` prints."""
    return {
        "hunt_id": record.hunt_id,
        "state": record.state,
        **{field: record.texts.get(field, "") for field in HUNT_FIELDS},
        "author": record.author,
        "created": format_time(record.created),
        "changed": format_time(record.changed),
        "changed_by": record.changed_by,
        "queries": [
            {
                "query_id": each.query_id,
                "name": each.name,
                "language": each.language,
                "text": each.text,
                "last_run": _run_object(record.run_of(each.query_id)),
            }
            for each in record.queries
        ],
        "findings": [
            {
                "kind": each.kind,
                "subject": each.subject,
                "title": each.title,
                "summary": each.summary,
                "time": None if each.time is None else format_time(each.time),
                "author": each.author,
                "added": format_time(each.added),
            }
            for each in record.findings
        ],
    }


def _run_object(run: HuntRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "at": format_time(run.time),
        "author": run.author,
        "rows": run.rows,
        "new": run.new,
    }


def _time(texts: Mapping[str, str], field: str, end: int) -> int | None:
    text = texts.get(field, "").strip()
    if not text:
        return None
    try:
        span = parse_date_span(text)
    except ValueError:
        span = None
    if span is None:
        raise ValueError(f"{field}: {text} is not a time: write it like 2026-03-01T12:00")
    return span[end]
