"""Key bindings, and the lists of them for help, footer and palette.

A letter means the same thing on every screen. Every binding has a label, a tooltip, a group, and an
id by which it can be given other keys. The analyst's own keys are set once for the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from textual.binding import ActiveBinding, Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import Screen

MOVE = Binding.Group("Move")
OPEN = Binding.Group("Open and go back")
FIND = Binding.Group("Find, filter, sort")
TRIAGE = Binding.Group("Triage")
"""Actions on the marked rows, or on the row under the cursor if none is marked."""

MARK = Binding.Group("Mark, undo, repeat")
LIVE = Binding.Group("Live")
OUT = Binding.Group("Copy and export")
FORM = Binding.Group("Form")
APP = Binding.Group("trailhound")

GROUPS = (TRIAGE, MARK, OPEN, MOVE, FIND, LIVE, OUT, FORM, APP)
"""All groups, in the order of the help page."""

_DEFAULT_KEYS: dict[str, str] = {}
"""The default keys of every binding made so far, by binding id."""

_rebound_keys: Mapping[str, str] = {}
"""The keys of the bindings that the analyst has rebound, by binding id."""


def key(
    id: str,
    keys: str,
    action: str,
    label: str,
    tooltip: str,
    group: Binding.Group,
    *,
    show: bool = False,
    everywhere: bool = False,
) -> Binding:
    """Make a binding, and register its default keys.

    ``show`` lists the binding on the last line of the screen. ``everywhere`` makes it work in forms
    too, so its keys must not be letters.
    """
    _DEFAULT_KEYS[id] = keys
    return Binding(
        keys, action, label, show=show, tooltip=tooltip, id=id, group=group, priority=everywhere
    )


def workbench_key(*, show: bool = True) -> Binding:
    """Make the binding that opens the workbench of a rule."""
    tooltip = "What the rule would find with other thresholds"
    return key("workbench", "W", "workbench", "workbench", tooltip, OPEN, show=show)


def explain_key(*, show: bool = True) -> Binding:
    """Make the binding that explains the rules for a principal."""
    tooltip = "Why a rule fired for this principal, or did not"
    return key("explain", "E", "explain", "explain", tooltip, OPEN, show=show)


@dataclass(frozen=True)
class KeyEntry:
    """An action, with every key that currently triggers it."""

    id: str
    keys: tuple[str, ...]
    label: str
    binding: Binding
    node: DOMNode
    enabled: bool

    @property
    def group(self) -> Binding.Group:
        assert self.binding.group is not None
        return self.binding.group

    @property
    def shown_keys(self) -> str:
        """The keys as they are written on screen."""
        return " ".join(display(name) for name in self.keys)


def rebind(keys: Mapping[str, str]) -> None:
    """Set the analyst's own keys, by binding id."""
    global _rebound_keys
    _rebound_keys = keys


def key_of(id: str) -> str:
    """Return the first key of a binding as written on screen.

    The class that makes the binding must have been imported.
    """
    return display(_rebound_keys.get(id, _DEFAULT_KEYS[id]).split(",")[0])


def declared_bindings(kind: type[DOMNode]) -> Iterator[Sequence[Binding]]:
    """Yield the bindings that a class and its bases within ``tui`` declare, class by class."""
    for above in kind.__mro__:
        if above.__module__.startswith("tui."):
            yield above.__dict__.get("BINDINGS", ())


def display(name: str) -> str:
    """Return a key as it is written on screen: ``?``, ``enter``, ``^d``."""
    if name.startswith("ctrl+"):
        return "^" + name.removeprefix("ctrl+")
    if name in ("shift+tab", "enter"):
        return name
    return format_key(name)


@runtime_checkable
class Labels(Protocol):
    """A screen whose key labels depend on its current state."""

    def label_of(self, binding: Binding) -> str:
        """Return the label of a binding that works on the screen."""


@runtime_checkable
class Applicable(Protocol):
    """A screen whose keys may have nothing to act on."""

    def applies(self, binding: Binding) -> bool:
        """Return whether a key has something to act on now."""


def key_entries(active: Iterable[ActiveBinding], label: Callable[[Binding], str]) -> list[KeyEntry]:
    """List the actions of bindings, each once, in the order of look-up."""
    entries: dict[str, KeyEntry] = {}
    for node, binding, enabled, _ in active:
        if binding.id is None or binding.group is None:
            continue  # an input's own editing keys, Textual's defaults
        entry = entries.get(binding.id)
        if entry is None:
            entry = KeyEntry(binding.id, (binding.key,), label(binding), binding, node, enabled)
        else:
            entry = replace(entry, keys=(*entry.keys, binding.key))
        entries[binding.id] = entry
    return list(entries.values())


def screen_entries(screen: Screen[object]) -> list[KeyEntry]:
    """List the actions that keys can trigger on a screen now."""
    label = screen.label_of if isinstance(screen, Labels) else lambda binding: binding.description
    entries = key_entries(screen.active_bindings.values(), label)
    if not isinstance(screen, Applicable):
        return entries
    return [
        replace(entry, enabled=entry.enabled and screen.applies(entry.binding)) for entry in entries
    ]


def group_entries(
    entries: Iterable[KeyEntry],
) -> Iterator[tuple[Binding.Group, list[KeyEntry]]]:
    """Yield groups with their entries, in the order of the help page."""
    groups = {group.description: group for group in GROUPS}
    members: dict[str, list[KeyEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.group.description, entry.group)
        members.setdefault(entry.group.description, []).append(entry)
    for name, group in groups.items():
        if name in members:
            yield group, members[name]


class KeysProvider(Provider):
    """The commands of the palette: every binding of the screen beneath it."""

    async def discover(self) -> Hits:
        for entry in self._entries():
            yield DiscoveryHit(
                Content(_title(entry)),
                lambda entry=entry: self._run(entry),
                help=entry.binding.tooltip,
            )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in self._entries():
            score = max(matcher.match(entry.label), matcher.match(entry.binding.tooltip) / 2)
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(_title(entry)),
                    lambda entry=entry: self._run(entry),
                    text=_title(entry),
                    help=entry.binding.tooltip,
                )

    def _entries(self) -> list[KeyEntry]:
        entries = screen_entries(self.screen)
        others = [entry for entry in entries if entry.binding.action != "command_palette"]
        return [entry for _, members in group_entries(others) for entry in members]

    async def _run(self, entry: KeyEntry) -> None:
        await self.app.run_action(entry.binding.action, entry.node)


def _title(entry: KeyEntry) -> str:
    return f"{entry.label}  {entry.shown_keys}"
