"""The rules: loaded from files in Elastic's form, compiled, ready for records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from detector.asn import AsnLookup, open_asn
from detector.ecs import fields
from detector.rules.metadata import RuleError
from detector.rules.rule import Rule, read_rule

__all__ = ["Rule", "RuleProblem", "RuleSet", "RuleSpec", "load", "rule_files"]

Mode = Literal["tumbling", "sliding"]
_BUILTIN = Path(__file__).parent / "builtin"


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """Why a rule file is not used; ``line`` and ``column`` from 1."""

    path: Path
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """What a rule set was loaded from; it pickles, so that another process can load the same."""

    paths: tuple[Path, ...]
    builtin: bool
    mode: Mode
    asn: Path | None
    now: int | None = None


class RuleSet:
    """Rules by their id, and the files that could not be used."""

    def __init__(self, rules: Sequence[Rule], problems: Sequence[RuleProblem], spec: RuleSpec) -> None:
        self._rules = {rule.rule_id: rule for rule in rules}
        self.problems = list(problems)
        self._spec = spec

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def get(self, rule_id: str) -> Rule | None:
        return self._rules.get(rule_id)

    @property
    def alerting(self) -> tuple[Rule, ...]:
        """Those that give alerts."""
        return tuple(rule for rule in self if rule.alerts)

    @property
    def flagging(self) -> tuple[Rule, ...]:
        """Those whose hits speak of the alerts near them."""
        return tuple(rule for rule in self if rule.flag)

    @property
    def mode(self) -> Mode:
        return self._spec.mode

    @property
    def fingerprint(self) -> str:
        """Changes when what the rules find could change."""
        parts = (self.mode, *sorted(rule.fingerprint for rule in self))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

    def spec(self) -> RuleSpec:
        return self._spec

    @classmethod
    def from_spec(cls, spec: RuleSpec) -> RuleSet:
        return load(spec.paths, spec.builtin, spec.mode, spec.asn, spec.now)

    def __reduce__(self) -> tuple[object, ...]:
        return RuleSet.from_spec, (self._spec,)


def load(paths: Sequence[Path] = (), builtin: bool = True, mode: Mode = "tumbling",
         asn: AsnLookup | Path | None = None, now: int | None = None) -> RuleSet:
    """The built-in rules (unless not ``builtin``) and those in ``paths``: files, or directories of ``*.toml``.

    A file that cannot be used becomes a problem, and the others load. A rule with the id of a built-in one replaces it.
    ``asn`` names the autonomous systems of addresses. ``now`` is what NOW() says in queries, in seconds since the
    epoch; without it, it follows from the events. Raises AsnError where ``asn`` is no such database.
    """
    lookup = open_asn(asn) if isinstance(asn, Path) else asn
    table = fields(lookup)
    known_by = lookup.fingerprint if lookup else ""
    rules: dict[str, Rule] = {}
    problems = []
    for path in (*(rule_files([_BUILTIN]) if builtin else ()), *rule_files(paths)):
        try:
            rule = read_rule(path, table, known_by, now)
            if (other := rules.get(rule.rule_id)) and not other.path.is_relative_to(_BUILTIN):
                raise RuleError(f"the same rule_id as {other.path}, which stands")
            rules[rule.rule_id] = rule
        except RuleError as error:
            problems.append(RuleProblem(path, error.line, error.column, error.message))
    spec = RuleSpec(tuple(paths), builtin, mode, lookup.path if lookup else None, now)
    return RuleSet(list(rules.values()), problems, spec)


def rule_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that are named, and those in the directories that are."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.toml"))
        else:
            yield path
