"""A rule: a TOML file in the schema of Elastic's detection-rules, and its query compiled."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from detector.alert import RuleSummary
from detector.ecs import Fields
from detector.rules.errors import EsqlError
from detector.rules.plan import plan
from detector.rules.query import Query

_ENGINE = "1"
"""Part of every fingerprint: changes when the same query would find something else than before."""


class RuleError(Exception):
    """A rule file that cannot be used: one line, with the place (from 1) in the file."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


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


class Metadata(msgspec.Struct, frozen=True, kw_only=True,
               rename={"query_text": "query", "lookback": "from"}):
    """The ``[rule]`` table. ``note`` is the guide, ``setup`` what must be in place; both are Markdown."""

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
    threat: list[Threat] = []
    tags: list[str] = []
    references: list[str] = []
    false_positives: list[str] = []
    note: str = ""
    setup: str = ""
    author: list[str] = []
    license: str = ""
    investigation_fields: InvestigationFields = InvestigationFields()


class Rule(Metadata, frozen=True, kw_only=True):
    """What the file says, and what it means: ``query`` finds it in records."""

    query: Query = msgspec.field(name="compiled")
    path: Path
    fingerprint: str
    """Changes when what the rule finds could change; not for its words."""

    @property
    def building_block(self) -> bool:
        return self.building_block_type is not None

    @property
    def summary(self) -> RuleSummary:
        return RuleSummary(self.rule_id, self.name, self.severity, self.risk_score, self.building_block)

    @property
    def window(self) -> int | None:
        """Seconds."""
        return self.query.window

    @property
    def thresholds(self) -> tuple[str, ...]:
        """What must hold of a window for an alert, each in words."""
        return self.query.thresholds


def read_rule(path: Path, fields: Fields, fields_fingerprint: str = "") -> Rule:
    """The rule in a file. ``fields_fingerprint`` says what the fields' values depend on beside the record.

    Raises RuleError.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None
    about = _metadata(text)
    if about.type != "esql" or about.language not in ("", "esql"):
        raise RuleError(f"rules of type {about.type} are not supported", _line_of(text, "type"))
    line, column = _place_of_query(text, about.query_text)
    try:
        query = plan(about.query_text, fields)
        if query.shape == "lookback":
            raise RuleError("stats without a date_trunc window in by is not supported yet", line)
    except EsqlError as error:
        first = column if error.line == 1 else 0
        raise RuleError(error.message, line + error.line - 1, first + error.column) from None
    found_by = f"{_ENGINE}\0{about.rule_id}\0{query.canonical}\0{fields_fingerprint}"
    fingerprint = hashlib.sha256(found_by.encode()).hexdigest()[:20]
    return Rule(**msgspec.structs.asdict(about), query=query, path=path, fingerprint=fingerprint)


def _metadata(text: str) -> Metadata:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 1)
        raise RuleError(f"no TOML: {str(error).partition(' (at ')[0]}", line, column) from None
    found: Any = table.get("rule")
    if not isinstance(found, dict):
        raise RuleError("a hunt file, not a rule" if "hunt" in table else "no [rule] table")
    if isinstance(names := found.get("investigation_fields"), list):
        found["investigation_fields"] = {"field_names": names}
    try:
        return msgspec.convert(found, Metadata)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = re.split(r"[.\[`]", where)[0] if where else (re.findall(r"`(\w+)`", what) or ["rule"])[-1]
        raise RuleError(f"{f'{name}: ' if where else ''}{what[:1].lower()}{what[1:]}", _line_of(text, name)) from None


def _line_of(text: str, key: str) -> int:
    found = re.search(rf"^\s*{re.escape(key)}\s*=", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


def _place_of_query(text: str, query: str) -> tuple[int, int]:
    """The line of the file that the query's text begins in, and the column before its first character."""
    start = text.find(query) if query.strip() else -1
    if start < 0:  # it is written with escapes
        opening = re.search(r'^\s*query\s*=\s*(?:"""|\'\'\'|"|\')(?:\r?\n)?', text, re.MULTILINE)
        start = opening.end() if opening else 0
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1)
