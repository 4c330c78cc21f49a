"""A rule: a TOML file in the schema of Elastic's detection-rules, and its query compiled."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.plan import explain
from detector.esql.plan.query import Query
from detector.esql.scope import QueryOptions
from detector.rules import rule_types
from detector.rules.rule_file import Metadata, RuleError, line_of, tables
from detector.rules.rule_summary import RuleSummary

_ENGINE = "2"
"""Part of every fingerprint: changes when the same query would find something else than before."""


class Rule(Metadata, frozen=True, kw_only=True):
    """What the file says, and what it means: ``query`` finds it in records.

    ``flag`` is the name under which its hits speak of alerts near them; ``alerts`` whether it gives
    alerts of its own."""

    flag: str | None
    alerts: bool
    nulls: str
    query: Query = msgspec.field(name="compiled")
    path: Path
    fingerprint: str
    """Changes when what the rule finds could change; not for its words."""

    @property
    def building_block(self) -> bool:
        return self.building_block_type is not None

    def warm_up(self, reach: int) -> str | None:
        """What "new" rests on, for a rule that looks for what is new and has only ``reach`` seconds
        of history: as "baseline 3 of 10 days". None where that is enough, and for other rules."""
        wanted = self.query.window or 0
        if self.query.shape != "terms" or reach >= wanted:
            return None
        unit, size = ("days", 86_400) if wanted >= 86_400 else ("hours", 3600)
        return f"baseline {reach // size} of {-(-wanted // size)} {unit}"

    @property
    def summary(self) -> RuleSummary:
        return RuleSummary(
            self.rule_id, self.name, self.severity, self.risk_score, self.building_block
        )

    @property
    def gap(self) -> int:
        """Alerts of one key that begin within so many seconds of each other are one
        (``alert_suppression``)."""
        return rule_types.gap(self)

    @property
    def window(self) -> int | None:
        """Seconds."""
        return self.query.window

    @property
    def meaning(self) -> str:
        """What it gives alerts for, in words."""
        query = self.query
        together = self.alert_suppression if query.shape == "filter" else None
        keys = together.group_by if together else query.key_names
        return explain.describe_alerts(query.shape, query.window, keys, query.thresholds, self.gap)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """What must hold of a window for an alert, each in words."""
        return self.query.thresholds


def read_rule(
    path: Path, fields: FieldTable, fields_fingerprint: str = "", now: int | None = None
) -> Rule:
    """The rule in a file. ``fields_fingerprint`` says what the fields' values depend on beside the
    record.

    ``now`` is what NOW() says, in seconds since the epoch, where that does not follow from the
    events. Raises RuleError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(
            f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
        ) from None
    about, own = tables(text)
    line, column = place_of_query(text, about.query_text)
    alerts = own.flag is None if own.alerts is None else own.alerts
    options = QueryOptions(now, own.nulls == "intended")
    try:
        query = rule_types.compiled(about, fields, options)
    except EsqlError as error:
        first = column if error.line == 1 else 0
        raise RuleError(error.message, line + error.line - 1, first + error.column) from None
    except RuleError as error:
        raise RuleError(error.message, line_of(text, error.key)) from None
    if not alerts and query.grouping is not None:
        raise RuleError("a rule that gives no alerts must not group", line)
    clock = now if ast.asks_time(query.canonical) else None
    parts = (
        _ENGINE,
        about.rule_id,
        query.canonical,
        query.window,
        rule_types.gap(about),
        query.key_names,
        own.nulls,
        clock,
        fields_fingerprint,
        own.flag,
        alerts,
    )
    fingerprint = hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()[:20]
    return Rule(
        **msgspec.structs.asdict(about),
        flag=own.flag,
        alerts=alerts,
        nulls=own.nulls,
        query=query,
        path=path,
        fingerprint=fingerprint,
    )


def place_of_query(text: str, query: str) -> tuple[int, int]:
    """The line of the file that the query's text begins in, and the column before its first
    character."""
    start = text.find(query) if query.strip() else -1
    if start < 0:  # it is written with escapes
        opening = re.search(r'^\s*query\s*=\s*(?:"""|\'\'\'|"|\')(?:\r?\n)?', text, re.MULTILINE)
        start = opening.end() if opening else 0
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1)
