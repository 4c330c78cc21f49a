"""The grammar of keys: one place that makes bindings, and one that tells them to help, footer and palette.

One letter is one idea on every screen. Every binding has an id (to remap it by), a label, a tooltip and a group. Which
keys the analyst's own are is kept once for the process, as the clock is (``tui.presentation.time_display``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
TRIAGE = Binding.Group("Decide")
"""What is done to the marked rows, or else to the one under the cursor."""

MARK = Binding.Group("Mark, undo, again")
LIVE = Binding.Group("Live")
OUT = Binding.Group("Take out")
FORM = Binding.Group("Form")
APP = Binding.Group("trailhound")

GROUPS = (TRIAGE, MARK, OPEN, MOVE, FIND, LIVE, OUT, FORM, APP)
"""In the order of the help page."""


_USUAL: dict[str, str] = {}
"""The keys of every binding made so far, by its id."""

_own: Mapping[str, str] = {}
"""The keys of the bindings that have others, by their ids."""


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
    """A binding as trailhound writes them. ``show`` puts it on the last line of the screen;
    ``everywhere`` lets it work over forms too, so it must be no letter."""
    _USUAL[id] = keys
    return Binding(
        keys, action, label, show=show, tooltip=tooltip, id=id, group=group, priority=everywhere
    )


@dataclass(frozen=True)
class KeyEntry:
    """One thing to do, with every key that does it now."""

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
        return " ".join(display(name) for name in self.keys)


def use(keys: Mapping[str, str]) -> None:
    """Name these keys from now on; other bindings, by their ids, have their usual ones."""
    global _own
    _own = keys


def key_of(id: str) -> str:
    """The key of a binding as a text names it, the first where it has several. Its class must be
    imported."""
    return display(_own.get(id, _USUAL[id]).split(",")[0])


def display(name: str) -> str:
    """A key as it is written on screen: ``?``, ``enter``, ``^d``."""
    if name.startswith("ctrl+"):
        return "^" + name.removeprefix("ctrl+")
    if name == "shift+tab":
        return name
    return name if name == "enter" else format_key(name)


@runtime_checkable
class Labels(Protocol):
    """A screen on which labels say what the keys would do now."""

    def label_of(self, binding: Binding) -> str:
        """The label of one of its bindings, or of a widget's or the app's."""


def entries(active: Iterable[ActiveBinding], label: Callable[[Binding], str]) -> list[KeyEntry]:
    """What the keys do here, each idea once, in the order in which the bindings are looked up."""
    found: dict[str, KeyEntry] = {}
    for node, binding, enabled, _ in active:
        if binding.id is None or binding.group is None:
            continue  # an input's own editing keys, Textual's defaults
        known = found.get(binding.id)
        found[binding.id] = (
            replace(known, keys=(*known.keys, binding.key))
            if known
            else KeyEntry(binding.id, (binding.key,), label(binding), binding, node, enabled)
        )
    return list(found.values())


def of_screen(screen: Screen[object]) -> list[KeyEntry]:
    label = screen.label_of if isinstance(screen, Labels) else lambda binding: binding.description
    return entries(screen.active_bindings.values(), label)


def grouped(found: Iterable[KeyEntry]) -> Iterator[tuple[Binding.Group, list[KeyEntry]]]:
    """The entries under their groups, in the order of the help page; groups that it does not know
    come last."""
    by_group: dict[str, list[KeyEntry]] = {}
    groups = {group.description: group for group in GROUPS}
    for entry in found:
        groups.setdefault(entry.group.description, entry.group)
        by_group.setdefault(entry.group.description, []).append(entry)
    for name, group in groups.items():
        if name in by_group:
            yield group, by_group[name]


class KeysProvider(Provider):
    """The command palette over every binding of the screen beneath, with its keys."""

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
        found = [
            entry for entry in of_screen(self.screen) if entry.binding.action != "command_palette"
        ]
        return [entry for _, together in grouped(found) for entry in together]

    async def _run(self, entry: KeyEntry) -> None:
        await self.app.run_action(entry.binding.action, entry.node)


def _title(entry: KeyEntry) -> str:
    return f"{entry.label}  {entry.shown_keys}"
