"""The calls that a backfill fetches: those that rules need, or those with named values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from detector.detection.indicator import Indicator
from detector.rules.rule import Rule
from detector.text.fold import fold


@dataclass(frozen=True)
class CallSelection:
    """The calls that some rules need, compared without regard to case.

    A call is wanted if its event name is among those of its source in ``by_source`` (None: any
    name), or in ``names``, whatever its source. ``rules`` are the rules it covers; ``left_out`` are
    the rules that would need every call."""

    by_source: dict[str, frozenset[str] | None]
    names: frozenset[str]
    rules: tuple[Rule, ...]
    left_out: tuple[Rule, ...]

    @property
    def selects_nothing(self) -> bool:
        """Whether no call is wanted."""
        return not self.by_source and not self.names

    def includes(self, event_source: str, event_name: str) -> bool:
        """Return whether a call is wanted."""
        source, name = fold(event_source), fold(event_name)
        if name in self.names:
            return True
        if source not in self.by_source:
            return False
        names = self.by_source[source]
        return names is None or name in names


def select_calls(rules: Iterable[Rule]) -> CallSelection:
    """Collect the calls that rules need: the pairs that their queries require."""
    by_source: dict[str, frozenset[str] | None] = {}
    any_source: set[str] = set()
    served, left_out = [], []
    for rule in rules:
        pairs = rule.query.required_pairs
        if any(source is None and name is None for source, name in pairs):
            left_out.append(rule)
            continue
        served.append(rule)
        for source, name in pairs:
            if source is None:
                any_source.add(fold(name or ""))
            elif name is None:
                by_source[fold(source)] = None
            else:
                known = by_source.get(fold(source), frozenset())
                if known is not None:
                    by_source[fold(source)] = known | {fold(name)}
    return CallSelection(by_source, frozenset(any_source), tuple(served), tuple(left_out))


@dataclass(frozen=True)
class RecordSelection:
    """The records that a backfill fetches; all given conditions must hold.

    ``calls`` is None for any call. ``principals`` are ARNs and access keys of callers.
    ``indicators`` are values of which a record must have at least one. ``accounts`` and ``regions``
    are folders of the trail. ``condition`` is written in the engine's language."""

    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    calls: CallSelection | None = None
    principals: tuple[str, ...] = ()
    indicators: Sequence[Indicator] = field(default=())
    condition: str | None = None
