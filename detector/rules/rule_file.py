"""What a rule file says: its tables, in the schema of Elastic's detection-rules, and one of ours."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from detector.text.visible import visible


class RuleError(Exception):
    """A rule file that cannot be used: one line, with the place (from 1) in the file."""

    def __init__(self, message: str, line: int = 1, column: int = 1, key: str = "") -> None:
        self.message = visible(message, 400)  # it may quote the file
        super().__init__(self.message)
        self.line, self.column = line, column
        self.key = key
        """What of the rule it is about, where that tells the line."""


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


class AlertSuppression(msgspec.Struct, frozen=True):
    """Alerts that agree in ``group_by`` are one for the ``duration`` (without one, for a run of the
    rule)."""

    group_by: list[str] = []
    duration: Duration | None = None
    missing_fields_strategy: Literal["suppress", "doNotSuppress"] = "suppress"


class Cardinality(msgspec.Struct, frozen=True):
    field: str
    value: Annotated[int, msgspec.Meta(gt=0)]


class Threshold(msgspec.Struct, frozen=True):
    """At least ``value`` events that agree in ``field``, with so many distinct values of other
    fields."""

    value: Annotated[int, msgspec.Meta(gt=0)]
    field: list[str] | str = []
    cardinality: list[Cardinality] = []

    @property
    def fields(self) -> tuple[str, ...]:
        named = [self.field] if isinstance(self.field, str) else self.field
        return tuple(name for name in named if name)


class HistoryWindowStart(msgspec.Struct, frozen=True):
    value: str


class NewTerms(msgspec.Struct, frozen=True):
    value: list[str]
    history_window_start: list[HistoryWindowStart] = []


class Metadata(
    msgspec.Struct, frozen=True, kw_only=True, rename={"query_text": "query", "lookback": "from"}
):
    """The ``[rule]`` table. ``note`` is the guide, ``setup`` what must be in place; both are
    Markdown."""

    rule_id: Annotated[str, msgspec.Meta(min_length=1)]
    name: str
    type: str
    description: str = ""
    severity: Literal["low", "medium", "high", "critical"] = "low"
    risk_score: Annotated[int, msgspec.Meta(ge=0, le=100)] = 21
    language: str = ""
    query_text: str = ""
    building_block_type: str | None = None
    lookback: str = "now-6m"
    interval: str = "5m"
    max_signals: int = 100
    index: list[str] = []
    filters: list[Any] = []
    exceptions_list: list[Any] = []
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

    @property
    def terms(self) -> tuple[Sequence[str], str]:
        """The fields of a new-terms rule and how far back its history goes, in either of the forms
        in use."""
        if self.new_terms is None:
            return self.new_terms_fields, self.history_window_start
        starts = self.new_terms.history_window_start
        return self.new_terms.value, starts[0].value if starts else ""


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[trailhound]`` table, which Elastic's schema does not have.

    ``flag``: what the rule lets through speaks of the alerts of the same principal near it, under
    this name. ``alerts``: whether the rule gives alerts too; unless said, one with a flag gives
    none. ``nulls``: "intended" makes negated conditions true of what is missing."""

    flag: Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")] | None = None
    alerts: bool | None = None
    nulls: Literal["strict", "intended"] = "strict"


def toml(text: str) -> dict[str, Any]:
    """A file's tables. Raises RuleError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 1)
        raise RuleError(f"no TOML: {str(error).partition(' (at ')[0]}", line, column) from None
    except (ValueError, RecursionError):  # which the parser lets pass
        raise RuleError("no TOML: a number of too many digits, or nested too deeply") from None


def tables(text: str) -> tuple[Metadata, Own]:
    """The ``[rule]`` and the ``[trailhound]`` table of a file. Raises RuleError."""
    table = toml(text)
    found: Any = table.get("rule")
    if not isinstance(found, dict):
        raise RuleError("a hunt file, not a rule" if "hunt" in table else "no [rule] table")
    if isinstance(names := found.get("investigation_fields"), list):
        found["investigation_fields"] = {"field_names": names}
    return _converted(found, Metadata, text), _converted(table.get("trailhound", {}), Own, text)


_Table = TypeVar("_Table", Metadata, Own)


def _converted(found: Any, kind: type[_Table], text: str) -> _Table:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = (
            re.split(r"[.\[`]", where)[0]
            if where
            else (re.findall(r"`(\w+)`", what) or ["rule"])[-1]
        )
        raise RuleError(
            f"{f'{name}: ' if where else ''}{what[:1].lower()}{what[1:]}", line_of(text, name)
        ) from None


def is_hunt(path: Path) -> bool:
    """Whether a file is a hunt file, as far as can be told."""
    try:
        return "hunt" in tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False


def line_of(text: str, key: str) -> int:
    """The line, from 1, where ``key`` or its table stands; 1 where it does not."""
    found = re.search(
        rf"^\s*(?:{re.escape(key)}\s*=|\[+[\w.]*\b{re.escape(key)}\])", text, re.MULTILINE
    )
    return text.count("\n", 0, found.end()) + 1 if found else 1
