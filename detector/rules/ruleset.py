"""Load rule files into a rule set that knows when a file has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from detector.ecs.asn import AsnLookup, open_asn
from detector.ecs.fields import field_table
from detector.rules.rule import Rule, read_rule
from detector.rules.rule_file import RuleError

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
    off: frozenset[str] = frozenset()
    """Ids of rules that are left out."""


Stamp = tuple[tuple[str, int, int], ...]
"""Which rule files there are, each with its mtime (ns) and size."""


class RuleSet:
    """Rules by their id, and the files that could not be used. ``stamp`` is that of the files when
    they were read."""

    def __init__(
        self, rules: Sequence[Rule], problems: Sequence[RuleProblem], spec: RuleSpec, stamp: Stamp
    ) -> None:
        self._rules = {rule.rule_id: rule for rule in rules}
        self.problems = list(problems)
        self._spec = spec
        self._stamp = stamp

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
    def reach(self) -> int:
        """Seconds over which events count together: the longest window. What rules that look for
        what is new have to have seen before is not in it."""
        return max(
            (max(rule.query.window or 0, rule.gap) for rule in self if rule.query.shape != "terms"),
            default=0,
        )

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

    def without(self, off: Collection[str]) -> RuleSet:
        """These rules but those of the ids in ``off``."""
        kept = [rule for rule in self if rule.rule_id not in off]
        return RuleSet(
            kept,
            self.problems,
            replace(self._spec, off=self._spec.off | frozenset(off)),
            self._stamp,
        )

    def again(self) -> RuleSet:
        """The same files as they are now."""
        return RuleSet.from_spec(self._spec)

    @property
    def changed(self) -> bool:
        """Whether a rule file has come, gone or been written since these were loaded."""
        return _stamp(self._spec.paths, self._spec.builtin) != self._stamp

    @classmethod
    def from_spec(cls, spec: RuleSpec) -> RuleSet:
        return load(spec.paths, spec.builtin, spec.mode, spec.asn, spec.now).without(spec.off)

    def __reduce__(self) -> tuple[object, ...]:
        return RuleSet.from_spec, (self._spec,)


def load(
    paths: Sequence[Path] = (),
    builtin: bool = True,
    mode: Mode = "tumbling",
    asn: AsnLookup | Path | None = None,
    now: int | None = None,
) -> RuleSet:
    """The built-in rules (unless not ``builtin``) and those in ``paths``: files, or directories of
    ``*.toml``.

    A file that cannot be used becomes a problem, and the others load. A rule with the id of a
    built-in one replaces it. ``asn`` names the autonomous systems of addresses. ``now`` is what
    NOW() says in queries, in seconds since the epoch; without it, it follows from the events.
    Raises AsnError where ``asn`` is no such database."""
    lookup = open_asn(asn) if isinstance(asn, Path) else asn
    table = field_table(lookup)
    known_by = lookup.fingerprint if lookup else ""
    stamp = _stamp(paths, builtin)  # before the files are read: a later change is not missed
    rules: dict[str, Rule] = {}
    problems = []
    for path in _files(paths, builtin):
        try:
            rule = read_rule(path, table, known_by, now)
            if (other := rules.get(rule.rule_id)) and not other.path.is_relative_to(_BUILTIN):
                raise RuleError(f"the same rule_id as {other.path}, which stands")
            rules[rule.rule_id] = rule
        except RuleError as error:
            problems.append(RuleProblem(path, error.line, error.column, error.message))
    spec = RuleSpec(tuple(paths), builtin, mode, lookup.path if lookup else None, now)
    return RuleSet(list(rules.values()), problems, spec, stamp)


def _files(paths: Sequence[Path], builtin: bool) -> Iterator[Path]:
    yield from rule_files([_BUILTIN, *paths] if builtin else paths)


def _stamp(paths: Sequence[Path], builtin: bool) -> Stamp:
    stamp = []
    for path in _files(paths, builtin):
        try:
            is_now = path.stat()
        except OSError:
            continue  # gone
        stamp.append((str(path), is_now.st_mtime_ns, is_now.st_size))
    return tuple(stamp)


def rule_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that are named, and those in the directories that are."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.toml"))
        else:
            yield path
