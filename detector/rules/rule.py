"""A rule: what its file says, and its compiled query."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from detector.ecs.fields import FieldTable
from detector.esql.expressions.scope import QueryOptions
from detector.esql.lookup.files import NO_LOOKUPS, Lookups
from detector.esql.plan import explain
from detector.esql.plan.query import Query
from detector.esql.tree_walk import depends_on_time
from detector.rules.kibana.export import Export
from detector.rules.rule_file import Metadata, TrailhoundTable, suppression_gap
from detector.rules.rule_summary import AttackTechnique, RuleSummary
from detector.rules.rule_text import Advice
from detector.text.time import DAY, HOUR

_ENGINE = "4"
"""Part of every fingerprint; changed whenever the engine would find something else than before."""
SIGMA_TYPES = SIGMA_RULE, SIGMA_CORRELATION = "sigma", "sigma correlation"
"""The types of rules from Sigma files; all other types are Elastic's."""


class Rule(Metadata, frozen=True, kw_only=True):
    """A rule file and its compiled query.

    ``flag``: the name of the flag that its hits raise on nearby alerts. ``alerts``: whether it
    raises alerts of its own. ``fingerprint``: changes if the rule could find something else, not if
    only its descriptive texts change. ``advice``: what its author should know, with the place in
    the file."""

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
        """Describe a history, in seconds, that is too short: "baseline 3 of 10 days".

        None if it is long enough, and for rules that are not new-terms rules."""
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
        """Seconds after an alert's start within which others of its key join it
        (``alert_suppression``)."""
        return suppression_gap(self)

    @property
    def window(self) -> int | None:
        """Seconds of the query's window."""
        return self.query.window

    @property
    def meaning(self) -> str:
        """A description of what the rule raises alerts for."""
        query = self.query
        keys = query.key_names
        if query.shape == "filter" and self.alert_suppression:
            keys = tuple(self.alert_suppression.group_by)
        window = query.window
        if query.shape == "sequence" and self.type == "eql" and window:
            window -= 1  # a maxspan includes its last second
        return explain.describe_alerts(query.shape, window, keys, query.thresholds, self.gap)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """The conditions that a window must meet for an alert, each in words."""
        return self.query.thresholds


class CompileContext(msgspec.Struct, frozen=True):
    """What rules are compiled with in addition to their files.

    ``now``: the value of NOW(), in seconds since the epoch; None: it follows from the events.
    ``placeholders``: the values of placeholders in Sigma rules, by name. ``export``: Kibana's
    exception lists and saved queries that rules may name. ``lookups``: the tables of ENRICH and
    LOOKUP JOIN."""

    fields: FieldTable
    now: int | None = None
    placeholders: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    export: Export = msgspec.field(default_factory=Export)
    lookups: Lookups = NO_LOOKUPS


def query_options(nulls: str, context: CompileContext) -> QueryOptions:
    """Return the options for evaluating a rule's query; ``nulls`` as in its ``[trailhound]``
    table."""
    return QueryOptions(context.now, nulls == "intended", context.lookups)


def assemble_rule(
    metadata: Metadata,
    own: TrailhoundTable,
    alerts: bool,
    query: Query,
    path: Path,
    context: CompileContext,
    advice: Sequence[Advice] = (),
) -> Rule:
    """Make a rule from the content of its file and its compiled query."""
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


def _fingerprint(
    metadata: Metadata,
    own: TrailhoundTable,
    alerts: bool,
    query: Query,
    context: CompileContext,
) -> str:
    """Hash everything that decides what the rule finds.

    The hash is stored, so the parts and their order must not change."""
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
