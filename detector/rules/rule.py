"""Make a rule: what its file says, and its compiled query."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from detector.ecs.fields import FieldTable
from detector.esql.errors import QUERY_START, EsqlError
from detector.esql.expressions.scope import QueryOptions
from detector.esql.lookup.files import NO_LOOKUPS, Lookups
from detector.esql.plan import explain
from detector.esql.plan.query import Query
from detector.esql.tree_walk import depends_on_time
from detector.rules.key_advice import key_advice
from detector.rules.kibana.export import Export
from detector.rules.kibana.saved_query import with_saved_query
from detector.rules.lint import Advice, lint_rule
from detector.rules.rule_file import Metadata, RuleError, TrailhoundTable, line_of_key
from detector.rules.rule_summary import AttackTechnique, RuleSummary
from detector.rules.rule_types import (
    QueryContext,
    check_supported,
    compile_rule,
    suppression_gap,
)
from detector.rules.side_conditions import side_conditions
from detector.text.time import DAY, HOUR

_ENGINE = "4"
"""Part of every fingerprint; changes when a query would find something else than before."""
SIGMA_TYPES = SIGMA_RULE, SIGMA_CORRELATION = "sigma", "sigma correlation"
"""The types of rules of Sigma files; all others are Elastic's."""


class Rule(Metadata, frozen=True, kw_only=True):
    """A rule file and its compiled query.

    ``flag``: the name under which its hits flag alerts near them. ``alerts``: whether it gives
    alerts of its own. ``fingerprint``: changes when the rule could find something else; not with
    its texts. ``advice``: what its reader should know, with its place in the file."""

    flag: str | None
    alerts: bool
    nulls: str
    query: Query = msgspec.field(name="compiled")
    path: Path
    fingerprint: str
    advice: list[Advice] = []

    @property
    def building_block(self) -> bool:
        return self.building_block_type is not None

    def warm_up(self, history: int) -> str | None:
        """Describe a too short history (seconds): "baseline 3 of 10 days".

        None where it is long enough, and for rules of other types."""
        needed = self.query.window or 0
        if self.query.shape != "terms" or history >= needed:
            return None
        unit, size = ("days", DAY) if needed >= DAY else ("hours", HOUR)
        return f"baseline {history // size} of {-(-needed // size)} {unit}"

    @property
    def summary(self) -> RuleSummary:
        return RuleSummary(
            self.rule_id,
            self.name,
            self.severity,
            self.risk_score,
            self.building_block,
            self.attack,
        )

    @property
    def attack(self) -> list[AttackTechnique]:
        """Its techniques of MITRE ATT&CK, each followed by its sub-techniques."""
        return [
            AttackTechnique(each.id, each.name, threat.tactic.id, threat.tactic.name)
            for threat in self.threat
            for technique in threat.technique
            for each in (technique, *technique.subtechnique)
        ]

    @property
    def gap(self) -> int:
        """Seconds from an alert in which others of its key join it (``alert_suppression``)."""
        return suppression_gap(self)

    @property
    def window(self) -> int | None:
        """Seconds of the query's window."""
        return self.query.window

    @property
    def meaning(self) -> str:
        """What the rule gives alerts for, in words."""
        query = self.query
        keys = query.key_names
        if query.shape == "filter" and self.alert_suppression:
            keys = tuple(self.alert_suppression.group_by)
        window = query.window
        if query.shape == "sequence" and self.type == "eql" and window:
            window -= 1  # of a maxspan, the last second counts too
        return explain.describe_alerts(query.shape, window, keys, query.thresholds, self.gap)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """The conditions on a window for an alert, each in words."""
        return self.query.thresholds


class CompileContext(msgspec.Struct, frozen=True):
    """What rules are compiled with, beside their files.

    ``now``: the value of NOW(), in seconds since the epoch, where it does not follow from the
    events. ``placeholders``: the values of those in Sigma rules, by name. ``export``: the exception
    lists and saved queries of Kibana that rules may name. ``lookups``: the tables of ENRICH and
    LOOKUP JOIN."""

    fields: FieldTable
    now: int | None = None
    placeholders: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    export: Export = msgspec.field(default_factory=Export)
    lookups: Lookups = NO_LOOKUPS


def query_options(nulls: str, context: CompileContext) -> QueryOptions:
    """Return how a rule's query is evaluated; ``nulls`` as in its ``[trailhound]`` table."""
    return QueryOptions(context.now, nulls == "intended", context.lookups)


class RuleText(Protocol):
    """The part of a file that a rule is written in."""

    def key_error(self, error: RuleError) -> RuleError:
        """Place an error of a key in the file."""

    def query_error(self, error: EsqlError) -> RuleError:
        """Place an error of the query in the file."""

    def place_advice(self, advice: Advice) -> Advice:
        """Place advice on the query in the file."""


class TomlText(msgspec.Struct, frozen=True):
    """The text of a TOML file, which is one rule, and the rule's query."""

    text: str
    query: str

    def key_error(self, error: RuleError) -> RuleError:
        return RuleError(error.message, line_of_key(self.text, error.key))

    def query_error(self, error: EsqlError) -> RuleError:
        return RuleError(error.message, *self._place(error.line, error.column))

    def place_advice(self, advice: Advice) -> Advice:
        return Advice(*self._place(advice.line, advice.column), advice.sentence)

    def _place(self, line: int, column: int) -> tuple[int, int]:
        """Return the line and column in the file of those in the query."""
        first_line, indent = query_position(self.text, self.query)
        if line > 1:  # only the query's first line may begin in the middle of one
            indent = 0
        return first_line + line - 1, indent + column


def make_rule(
    metadata: Metadata, own: TrailhoundTable, text: RuleText, path: Path, context: CompileContext
) -> Rule:
    """Compile a rule. Raises RuleError with the place in the file."""
    options = query_options(own.nulls, context)
    try:
        metadata = with_saved_query(metadata, context.export)
        check_supported(metadata)
        conditions = side_conditions(metadata, context.fields, context.export)
        query = compile_rule(metadata, QueryContext(context.fields, options, conditions))
    except EsqlError as error:
        raise text.query_error(error) from None
    except RuleError as error:
        raise text.key_error(error) from None
    alerts = own.alerts
    if alerts is None:
        alerts = own.flag is None
    if not alerts and query.grouping is not None:
        start = EsqlError(QUERY_START, "a rule that gives no alerts must not group")
        raise text.query_error(start)
    advice = lint_rule(metadata, query.tree, context.fields, own.nulls == "strict")
    placed = [text.place_advice(each) for each in advice]

    def is_column(name: str) -> bool:
        return name in query.columns or (query.grouping is None and name in context.fields)

    for key, sentence in key_advice(metadata, is_column):
        told = text.key_error(RuleError(sentence, key=key))
        placed.append(Advice(told.line, told.column, told.message))
    return assemble_rule(metadata, own, alerts, query, path, context, placed)


def assemble_rule(
    metadata: Metadata,
    own: TrailhoundTable,
    alerts: bool,
    query: Query,
    path: Path,
    context: CompileContext,
    advice: Sequence[Advice] = (),
) -> Rule:
    """Put together a rule of what its file says and its compiled query."""
    return Rule(
        **msgspec.structs.asdict(metadata),
        flag=own.flag,
        alerts=alerts,
        nulls=own.nulls,
        query=query,
        path=path,
        fingerprint=_fingerprint(metadata, own, alerts, query, context),
        advice=list(advice),
    )


def query_position(text: str, query: str) -> tuple[int, int]:
    """Return the file's line where the query begins, and the column before."""
    start = text.find(query) if query.strip() else -1
    if start < 0:  # the query is written with escapes
        opening = re.search(r'^\s*query\s*=\s*(?:"""|\'\'\'|"|\')(?:\r?\n)?', text, re.MULTILINE)
        start = opening.end() if opening else 0
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1)


def _fingerprint(
    metadata: Metadata,
    own: TrailhoundTable,
    alerts: bool,
    query: Query,
    context: CompileContext,
) -> str:
    """Hash all that decides what the rule finds.

    The hash is stored: the parts and their order are fixed."""
    parts = (
        _ENGINE,
        metadata.rule_id,
        query.canonical,
        query.window,
        suppression_gap(metadata),
        query.key_names,
        own.nulls,
        context.now if depends_on_time(query.canonical) else None,
        context.fields.fingerprint,
        own.flag,
        alerts,
    )
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()[:20]
