"""Reads rule files: TOML in the schema of Elastic's detection-rules.

The table ``[trailhound]`` is our own.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import tomli

from detector.text.late_pattern import late_pattern
from detector.text.time import SECONDS_PER_UNIT
from detector.text.visible import visible


class RuleError(Exception):
    """A rule file that cannot be used.

    ``message`` is one line of text; ``line`` and ``column`` count from 1. Line 0: the error is
    about
    the file as a whole."""

    def __init__(self, message: str, line: int = 0, column: int = 1, key: str = "") -> None:
        self.message = visible(message, 400)  # it may quote the file
        super().__init__(self.message)
        self.line, self.column = line, column
        self.key = key
        """The key of the rule that the error is about; used to find the line."""


def file_position(path: Path | str, line: int, column: int | None = None) -> str:
    """Format ``path:line:column``; the path alone for line 0."""
    numbers = [str(number) for number in (line, column) if line and number is not None]
    return ":".join([str(path), *numbers])


class RuleNotice(msgspec.Struct, frozen=True):
    """A document or file that is not a rule itself; ``sentence`` says what it is."""

    title: str
    sentence: str


class Reference(msgspec.Struct, frozen=True):
    """A tactic, technique or sub-technique of MITRE ATT&CK."""

    id: str
    name: str = ""
    reference: str = ""
    subtechnique: list[Reference] = []


class Threat(msgspec.Struct, frozen=True):
    tactic: Reference
    framework: str = ""
    technique: list[Reference] = []


class InvestigationFields(msgspec.Struct, frozen=True):
    field_names: list[str] = []


class Duration(msgspec.Struct, frozen=True):
    value: Annotated[int, msgspec.Meta(gt=0, le=1_000_000)]
    unit: Literal["s", "m", "h", "d"]


class AlertSuppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Merges alerts with the same ``group_by`` values within ``duration``.

    Without a duration: within one run of the rule."""

    group_by: list[str] = []
    duration: Duration | None = None
    missing_fields_strategy: Literal["suppress", "doNotSuppress"] = "suppress"


class Cardinality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    field: str
    value: Annotated[int, msgspec.Meta(gt=0)]


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At least ``value`` events with the same values of ``field``.

    ``cardinality``: the least numbers of distinct values of other fields."""

    value: Annotated[int, msgspec.Meta(gt=0)]
    field: list[str] | str = []
    cardinality: list[Cardinality] = []

    @property
    def fields(self) -> tuple[str, ...]:
        names = [self.field] if isinstance(self.field, str) else self.field
        return tuple(name for name in names if name)


class HistoryWindowStart(msgspec.Struct, frozen=True):
    value: str


class NewTerms(msgspec.Struct, frozen=True):
    value: list[str]
    history_window_start: list[HistoryWindowStart] = []


class Metadata(
    msgspec.Struct, frozen=True, kw_only=True, rename={"query_text": "query", "lookback": "from"}
):
    """The ``[rule]`` table.

    ``note`` is the investigation guide, ``setup`` describes prerequisites; both are Markdown.
    ``other_keys`` are the keys of a TOML file that are not read."""

    rule_id: Annotated[str, msgspec.Meta(min_length=1)]
    name: str
    type: str
    description: str = ""
    severity: Literal["low", "medium", "high", "critical"] = "low"
    risk_score: Annotated[int, msgspec.Meta(ge=0, le=100)] = 21
    language: str = ""
    query_text: str = ""
    event_category_override: str = "event.category"
    timestamp_field: str = "@timestamp"
    building_block_type: str | None = None
    lookback: str = "now-6m"
    interval: str = "5m"
    max_signals: int = 100
    index: list[str] = []
    filters: list[Any] = []
    exceptions_list: list[Any] = []
    saved_id: str = ""
    alert_suppression: AlertSuppression | None = None
    threshold: Threshold | None = None
    new_terms: NewTerms | None = None
    new_terms_fields: list[str] = []
    history_window_start: str = ""
    threat: list[Threat] = []
    tags: list[str] = []
    references: list[str] = []
    false_positives: list[str] = []
    note: str = ""
    setup: str = ""
    author: list[str] = []
    license: str = ""
    investigation_fields: InvestigationFields = InvestigationFields()
    severity_mapping: list[Any] = []
    risk_score_mapping: list[Any] = []
    rule_name_override: str = ""
    other_keys: list[str] = []

    @property
    def terms(self) -> tuple[Sequence[str], str]:
        """The fields of a new-terms rule, and the start of its history.

        The schema has two forms of them, both in use."""
        if self.new_terms is None:
            return self.new_terms_fields, self.history_window_start
        starts = self.new_terms.history_window_start
        return self.new_terms.value, starts[0].value if starts else ""


_MOST_BYTES = {".ndjson": 64_000_000, ".json": 64_000_000}
"""The greatest size of a file, by suffix: an export may have all rules of an installation."""
_MOST_BYTES_OF_RULE = 4_000_000


class TrailhoundTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[trailhound]`` table, which Elastic's schema does not have.

    ``flag``: the rule's hits raise this flag on nearby alerts of the same principal. ``alerts``:
    whether the rule raises alerts; by default, a rule with a flag raises none. ``nulls``:
    "intended" makes negated conditions true for missing fields. ``variant_of`` and ``reason``: the
    id of the rule that a saved variant was derived from, and why."""

    flag: Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")] | None = None
    alerts: bool | None = None
    nulls: Literal["strict", "intended"] = "strict"
    variant_of: str = ""
    reason: str = ""


def read_file_text(path: Path) -> str:
    """Read the text of a rule or hunt file. Raises RuleError about the file as a whole."""
    most = _MOST_BYTES.get(path.suffix, _MOST_BYTES_OF_RULE)
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):  # reading it might never end
                raise RuleError("cannot be read: a pipe or device; name a file")
            # read() allocates the requested size, and some file systems report a size of 0.
            size = min(status.st_size, most)
            content = file.read(size + 1)
            if len(content) > size:
                content += file.read(most - size)
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise RuleError(f"cannot be read: over {most // 1_000_000} MB, which no rule file has")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RuleError("cannot be read: not UTF-8 text") from None
    if not text.strip():
        raise RuleError("the file is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises RuleError."""
    try:
        _refuse_long_keys(text)
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        reason = str(error).partition(" (at ")[0]
        position = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        if position is None:  # "at end of document"
            line, column = text.count("\n") + 1, 1
        else:
            line, column = int(position[1]), int(position[2])
        raise RuleError(f"not TOML: {reason}", line, column) from None
    except (ValueError, RecursionError):  # raised by int() and by tomli's recursion
        raise RuleError("not TOML: a number of too many digits, or nested too deeply") from None


_DATE_MATH = late_pattern(r"now-([0-9]{1,9})([smhdw])")
_KEY_PARTS = 200
_LONG_KEY = late_pattern(rf"[\s\[]*(?:[\w\"'-]+[ \t]*\.[ \t]*){{{_KEY_PARTS}}}")


def _refuse_long_keys(text: str) -> None:
    """Raise RuleError for a dotted key with so many parts that tomli would take minutes."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _LONG_KEY.match(line):
            raise RuleError(f"a key of over {_KEY_PARTS} parts", number)


def parse_tables(text: str) -> tuple[Metadata, TrailhoundTable]:
    """Parse the ``[rule]`` and the ``[trailhound]`` table of a file. Raises RuleError."""
    tables = parse_toml(text)
    rule: Any = tables.get("rule")
    if not isinstance(rule, dict):
        if "hunt" in tables:
            raise RuleError("a hunt file, not a rule")
        raise RuleError("no [rule] table")
    own = tables.get("trailhound", {})
    other_keys = [key for key in rule if key not in Metadata.__struct_encode_fields__]
    metadata = convert_rule({**rule, "other_keys": other_keys}, text)
    return metadata, _convert(own, TrailhoundTable, text)


def convert_rule(rule: dict[str, Any], text: str) -> Metadata:
    """Convert a rule's keys and values. Raises RuleError at the line of an invalid key in
    ``text``."""
    field_names = rule.get("investigation_fields")
    if isinstance(field_names, list):
        rule = {**rule, "investigation_fields": {"field_names": field_names}}
    return _convert(rule, Metadata, text)


_Table = TypeVar("_Table", Metadata, TrailhoundTable)


def _convert(table: Any, type: type[_Table], text: str) -> _Table:
    """Convert a table to its struct. Raises RuleError at the line of the invalid key."""
    try:
        return msgspec.convert(table, type)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        reason = f"{message[:1].lower()}{message[1:]}"
        if path:
            key = re.split(r"[.\[`]", path)[0]
            raise RuleError(f"{key}: {reason}", line_of_key(text, key)) from None
        quoted = re.findall(r"`(\w+)`", message) or ["rule"]
        raise RuleError(reason, line_of_key(text, quoted[-1])) from None


def is_hunt(path: Path) -> bool:
    """Return whether a file is a hunt file; False if it is unreadable."""
    try:
        return "hunt" in parse_toml(read_file_text(path))
    except RuleError:
        return False


def line_of_key(text: str, key: str) -> int:
    """Return the line of a key or of its table; 0 if there is neither."""
    name = re.escape(key)
    match = re.search(rf"^\s*(?:{name}\s*=|\[+[\w.]*\b{name}\])", text, re.MULTILINE)
    if match is None:
        return 0
    return text.count("\n", 0, match.end()) + 1


def suppression_gap(metadata: Metadata) -> int:
    """Return the seconds within which others join an alert; 0 without ``alert_suppression``."""
    suppression = metadata.alert_suppression
    if suppression is None:
        return 0
    if suppression.duration is None:  # within one run of the rule, which is one interval
        return parse_ago(f"now-{metadata.interval}", "interval")
    return suppression.duration.value * SECONDS_PER_UNIT[suppression.duration.unit]


def parse_ago(text: str, key: str) -> int:
    """Parse ``now-6m`` to seconds. Raises RuleError."""
    match = _DATE_MATH.fullmatch(text.replace(" ", ""))
    if match is None or int(match[1]) == 0:
        raise RuleError(f"{key}: {text} is not supported: write it like now-6m", key=key)
    return int(match[1]) * SECONDS_PER_UNIT[match[2]]
