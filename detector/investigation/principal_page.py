"""A principal's page: its days, its usual calls, and its sessions as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from detector.detection.activity.activity import ALL_DAYS, DayActivity, SessionOpening, shown_values
from detector.detection.activity.actor import Actor
from detector.store import Store

DEPTH = 6
"""Maximum hops from session to session in a tree."""
SESSIONS_SHOWN = 200
"""Maximum lines of the tree; the number left out is reported."""
_USUAL = 0.5
"""Share of the days with calls from which a call is usual."""
_FEWEST_DAYS = 4
"""Days with calls that a principal needs before anything counts as usual or new."""


class ValueDays(msgspec.Struct, frozen=True):
    """How often a principal used a value, on how many days, and the first and last day.

    ``first`` and ``last`` are numbers of days since the epoch."""

    value: str
    calls: int
    failed: int
    denied: int
    days: int
    first: int
    last: int


class SessionNode(msgspec.Struct, frozen=True):
    """A session in a tree, with the span in which it was opened, in epoch seconds.

    ``is_cut``: sessions that it opened are missing below it, as they are too deep or shown already.
    """

    actor: Actor
    first: int
    last: int
    children: tuple[SessionNode, ...] = ()
    is_cut: bool = False


class PrincipalPage(msgspec.Struct, frozen=True):
    """What a principal did: by day and region, by value, and through which sessions.

    ``region_days`` are the calls in each region by day. ``usual`` are the API calls made on at
    least half of its days, ``first_time`` those made for the first time on its last day; both are
    empty if it called on too few days. ``opened_by`` leads from its sessions to those who opened
    them, ``opens`` to those that they opened; ``left_out`` trees are not shown."""

    days: dict[int, DayActivity]
    region_days: dict[str, dict[int, int]]
    values: dict[str, list[ValueDays]]
    usual: list[str]
    first_time: list[str]
    opened_by: list[SessionNode]
    opens: list[SessionNode]
    left_out: int = 0


def principal_page(store: Store, principal: Actor) -> PrincipalPage:
    """Return what the store knows about a principal."""
    activity = store.activity.read(*ALL_DAYS, principal)
    days = {day: of_day for (_, _, day), of_day in sorted(activity.days.items())}
    return page_of(principal, days, store.activity.openings())


def page_of(
    principal: Actor,
    days: Mapping[int, DayActivity],
    openings: Mapping[SessionOpening, tuple[int, int]],
) -> PrincipalPage:
    """Return the page of a principal with these days and session openings."""
    values = {kind: _value_days(days, kind) for kind in ("call", "network", "program", "account")}
    values["session"] = _value_days(days, "session")
    values["key"] = _value_days(days, "key")
    region_days: dict[str, dict[int, int]] = {}
    for day, of_day in sorted(days.items()):
        for region, count in shown_values(of_day.values.get("region", {})):
            region_days.setdefault(region, {})[day] = count.calls
    usual: list[str] = []
    first_time: list[str] = []
    if len(days) >= _FEWEST_DAYS:
        usual = [each.value for each in values["call"] if each.days >= _USUAL * len(days)]
        first_time = [each.value for each in values["call"] if each.first == max(days)]
    tree = _Tree(openings)
    opened_by, up = tree.roots(principal, _edges((opened, opener) for opener, opened in openings))
    opens, down = tree.roots(principal, _edges(openings))
    return PrincipalPage(
        dict(days),
        dict(sorted(region_days.items())),
        values,
        usual,
        first_time,
        opened_by,
        opens,
        up + down,
    )


def _value_days(days: Mapping[int, DayActivity], kind: str) -> list[ValueDays]:
    """Return the values of one kind, those with most calls first."""
    found: dict[str, ValueDays] = {}
    for day, of_day in sorted(days.items()):
        for value, count in shown_values(of_day.values.get(kind, {})):
            known = found.get(value, ValueDays(value, 0, 0, 0, 0, day, day))
            found[value] = ValueDays(
                value,
                known.calls + count.calls,
                known.failed + count.failed,
                known.denied + count.denied,
                known.days + 1,
                known.first,
                day,
            )
    return sorted(found.values(), key=lambda each: (-each.calls, each.value))


_Edges = Mapping[Actor, Sequence[Actor]]
"""Maps an actor to the actors one hop away."""


def _edges(pairs: Iterable[tuple[Actor, Actor]]) -> dict[Actor, list[Actor]]:
    """Map the first element of each pair to its second elements, in order."""
    edges: dict[Actor, list[Actor]] = {}
    for one, other in sorted(pairs):
        edges.setdefault(one, []).append(other)
    return edges


class _Tree:
    """Trees of sessions along openings, in one direction."""

    def __init__(self, openings: Mapping[SessionOpening, tuple[int, int]]) -> None:
        self._openings = openings
        self._shown = 0

    def roots(self, principal: Actor, edges: _Edges) -> tuple[list[SessionNode], int]:
        """Return the trees of a principal's sessions, and how many trees are not shown."""
        own = [actor for actor in sorted(edges) if actor.principal == principal.principal]
        self._shown = 0
        nodes = []
        for actor in own:
            if self._shown >= SESSIONS_SHOWN:
                break
            nodes.append(self._node(actor, None, edges, (actor,)))
        return nodes, len(own) - len(nodes)

    def _node(
        self, actor: Actor, span: tuple[int, int] | None, edges: _Edges, path: tuple[Actor, ...]
    ) -> SessionNode:
        self._shown += 1
        children = []
        is_cut = False
        for other in edges.get(actor, ()):
            if other in path or len(path) > DEPTH or self._shown >= SESSIONS_SHOWN:
                is_cut = True
                continue
            children.append(self._node(other, self._span(actor, other), edges, (*path, other)))
        if span is None:
            span = (
                min((child.first for child in children), default=0),
                max((child.last for child in children), default=0),
            )
        return SessionNode(actor, *span, tuple(children), is_cut)

    def _span(self, one: Actor, other: Actor) -> tuple[int, int]:
        known = self._openings.get(SessionOpening(one, other)) or self._openings.get(
            SessionOpening(other, one)
        )
        assert known is not None
        return known
