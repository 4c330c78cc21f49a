"""The bench: a rule, its variants, and the hits on which they are compared.

Hits come from the state if it holds those of the rule's current version, otherwise from the logs. A
variant with another filter always reads the logs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from detector.ingest.pipeline import Pipeline, Update
from detector.rules.rule import Rule
from detector.rules.ruleset import RuleSet
from detector.sources.source import Source
from detector.store import Store
from detector.triage.suppression_index import SuppressionIndex
from detector.workbench.backtest import Backtest, Judgements, compare_found
from detector.workbench.held_rule import HeldRule
from detector.workbench.variant import ParameterValues, VariantError, VariantMaker

Publish = Callable[[Update], None]


class LogScan:
    """Reads the logs for a rule, with ``jobs`` processes; the source is reopened for each scan.

    ``publish`` receives the progress."""

    def __init__(
        self, open_source: Callable[[], Source], publish: Publish, jobs: int | None = None
    ) -> None:
        self._open_source = open_source
        self._publish = publish
        self._jobs = jobs

    def held(self, rules: RuleSet, rule: Rule) -> HeldRule:
        """Scan the logs for the hits of one rule of a set."""
        alone = rules.without([each.rule_id for each in rules if each.rule_id != rule.rule_id])
        with closing(Store.open(None)) as store, closing(self._open_source()) as source:
            pipeline = Pipeline(store, alone, source, self._jobs, tells_alerts=False)
            pipeline.scan(self._publish)
            return HeldRule(rule, rules.mode, store.windows.hit_columns(rule.rule_id))


class Bench:
    """A rule with its variants over one history.

    ``store`` is a state that may hold the rule's hits; ``scan`` reads the logs if it does not.
    Raises VariantError for a rule that gives no alerts."""

    def __init__(
        self,
        rules: RuleSet,
        rule: Rule,
        judgements: Judgements,
        store: Store | None,
        scan: LogScan | None,
    ) -> None:
        if not rule.alerts:
            raise VariantError(f"{rule.name} gives no alerts of its own: it flags those near")
        self.maker = VariantMaker(rules, rule)
        self.rule = rule
        self._rules = rules
        self._judgements = judgements
        self.store = store
        self._scan = scan
        self._held: dict[frozenset[tuple[str, int]], HeldRule] = {}

    def is_held(self, values: ParameterValues) -> bool:
        """Tell whether a variant can be evaluated without reading logs (again)."""
        key = self._key(values)
        return key in self._held or (not key and self._state_holds())

    def held(self, values: ParameterValues) -> HeldRule:
        """Return the hits that a variant counts. Raises VariantError if they are not available."""
        key = self._key(values)
        if key not in self._held:
            self._held[key] = self._read(dict(key))
        return self._held[key]

    def backtest(self, values: ParameterValues) -> Backtest:
        """Compare the rule with a variant. Raises VariantError."""
        variant = self.maker.rule_with(values)
        now, then = self.held({}), self.held(values)
        return compare_found(
            (now, self.rule, now.firings(self.rule)),
            (then, variant, then.firings(variant)),
            self._judgements,
        )

    def counts(self, values: ParameterValues) -> tuple[int, int]:
        """Return the numbers of alerts and principals of a variant. Raises VariantError."""
        variant = self.maker.rule_with(values)
        held = self.held(values)
        firings = held.firings(variant)
        return len(firings), len({held.principal(variant, each) for each in firings})

    def evicted_until(self) -> int | None:
        """Return the time before which the state has purged the rule's windows; None if none."""
        if not self._state_holds():
            return None
        assert self.store is not None
        return self.store.retention.evicted_until(self.rule.rule_id)

    def _key(self, values: ParameterValues) -> frozenset[tuple[str, int]]:
        return frozenset(self.maker.reading_values(values).items())

    def _state_holds(self) -> bool:
        """Tell whether the state was searched by the current version of the rule."""
        if self.store is None:
            return False
        return self.store.rules.searched_by(self.rule.rule_id) == self.rule.fingerprint

    def _read(self, changes: ParameterValues) -> HeldRule:
        if not changes and self._state_holds():
            assert self.store is not None
            columns = self.store.windows.hit_columns(self.rule.rule_id)
            return HeldRule(self.rule, self._rules.mode, columns)
        if self._scan is None:
            raise VariantError("the logs must be read for this: name their files or folders")
        if not changes:
            return self._scan.held(self._rules, self.rule)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"variant{self.maker.suffix}"
            path.write_text(self.maker.text_with(changes), encoding="utf-8")
            spec = self._rules.spec()
            # If several files have the same rule_id, the first one wins.
            rules = RuleSet.from_spec(msgspec.structs.replace(spec, paths=(path, *spec.paths)))
            variant = rules.get(self.rule.rule_id)
            assert variant is not None
            return self._scan.held(rules, variant)


def state_judgements(store: Store) -> Judgements:
    """Return the analysts' decisions stored in a state."""
    return Judgements(store.alerts.get_all, SuppressionIndex(store.suppressions.active()))


def find_rule(rules: Iterable[Rule], name: str) -> Rule:
    """Return the rule with an id, a file or a name; part of the name suffices.

    Raises VariantError if no rule matches, or more than one."""
    candidates = list(rules)
    path = Path(name).expanduser()
    for rule in candidates:
        if name in (rule.rule_id, rule.name):
            return rule
    if path.exists():
        return _only([rule for rule in candidates if rule.path.resolve() == path.resolve()], name)
    lowered = name.lower()
    return _only([rule for rule in candidates if lowered in rule.name.lower()], name)


def _only(rules: Sequence[Rule], name: str) -> Rule:
    if not rules:
        raise VariantError(f"{name}: no such rule: trailhound rules list names them")
    if len(rules) > 1:
        names = ", ".join(f"{rule.name} ({rule.rule_id})" for rule in rules[:5])
        raise VariantError(f"{name}: {len(rules)} rules: {names}: name one by its id")
    return rules[0]
