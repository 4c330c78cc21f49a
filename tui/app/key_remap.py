"""Keys of the analyst's own, from ``[keys]`` in the configuration: checked before the app opens.

[keys]
"alert.acknowledge" = "A"
"list.down" = ["j", "down", "ctrl+n"]
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from itertools import combinations

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS

from tui.app.screen_registry import (
    SCREENS,
    TYPED_IN,
    ScreenInfo,
    bindings_of,
    editing_keys,
    every_binding,
)
from tui.keymap import display
from tui.settings import config
from tui.settings.errors import UsageError

Keymap = Mapping[str, str]
"""Binding ids to their keys, by Textual's names and separated by commas."""

_SAME = {
    "ctrl+i": "tab",
    "ctrl+m": "enter",
    "ctrl+h": "backspace",
    "ctrl+j": "a new line",
    "ctrl+[": "escape",
}
"""What terminals send for these keys."""

_TYPED = {"space", *(string.ascii_letters + string.digits)}
_PUNCTUATION: dict[str, str] = {}
for _character in string.punctuation:
    _name = unicodedata.name(_character).lower().replace("-", "_").replace(" ", "_")
    _PUNCTUATION[_character] = KEY_NAME_REPLACEMENTS.get(_name, _name)
_TYPED.update(_PUNCTUATION.values())
_NAMED = {
    "escape",
    "enter",
    "tab",
    "shift+tab",
    "backspace",
    "delete",
    "insert",
    "home",
    "end",
    "pageup",
    "pagedown",
    "up",
    "down",
    "left",
    "right",
    *(f"f{number}" for number in range(1, 13)),
    *(f"ctrl+{letter}" for letter in string.ascii_lowercase),
}


def configured() -> Keymap:
    """The keys that the configuration names. Raises CommandError, and UsageError where they make no
    sense."""
    return checked(config.load_config().keys)


def checked(wanted: Mapping[str, str | Sequence[str]]) -> Keymap:
    """These keys, by Textual's names. Raises UsageError for unknown ids, keys that no terminal sends or
    that are typed, and keys that would mean two things on a screen."""
    if not wanted:
        return {}
    known = every_binding()
    keymap = {}
    for id, given in wanted.items():
        if id not in known:
            near = get_close_matches(id, known, 1, 0.5)
            raise _misuse(
                f"nothing is called {id!r}"
                + (f", did you mean {near[0]!r}?" if near else "")
                + " `trailhound keys` lists what there is"
            )
        names = [given] if isinstance(given, str) else given
        if not names:
            raise _misuse(f"{id!r} has no key: name one, or leave the line out")
        keymap[id] = ",".join(_usable(id, name) for name in names)
    for info in SCREENS:
        _refuse_typed(info, keymap)
        _refuse_clashes(info, keymap)
    return keymap


def keys_of(binding: Binding, keymap: Keymap) -> list[str]:
    """The keys of a binding as they are now."""
    return [
        _PUNCTUATION.get(name, name)
        for name in keymap.get(binding.id or "", binding.key).split(",")
    ]


def _usable(id: str, key: str) -> str:
    name = "space" if key == " " else _PUNCTUATION.get(key, key)
    if name in _SAME:
        raise _misuse(f"{id!r}: terminals send {_SAME[name]} for {key}: choose another key")
    if name not in _TYPED and name not in _NAMED:
        raise _misuse(
            f"{id!r}: {key!r} is no key that every terminal sends: choose a letter, a digit, a sign, "
            "f1 to f12, ctrl+ and a letter, or a name such as space, enter, pageup"
        )
    return name


def _refuse_typed(info: ScreenInfo, keymap: Keymap) -> None:
    """What works while text is typed must not be a key that types or edits it."""
    fields = [kind for kind in info.widgets if issubclass(kind, TYPED_IN)]
    in_fields = [binding for kind in fields for binding in bindings_of(kind)]
    around = bindings_of(info.screen) if fields and info.modal else []
    everywhere = [
        binding for chain in info.chains() for binding in bindings_of(chain[-1]) if binding.priority
    ]
    editing: Set[str] = set().union(*map(editing_keys, fields)) - {"enter", "tab"}
    for binding in (*in_fields, *around, *everywhere):
        for name in keymap.get(binding.id or "", "").split(","):
            if name in _TYPED or name in editing:
                raise _misuse(
                    f"{binding.id!r}: {display(name)} is for typing where it works ({info.name}): choose a "
                    "function key, or ctrl+ and another letter"
                )


def _refuse_clashes(info: ScreenInfo, keymap: Keymap) -> None:
    for chain in info.chains():
        usual = {(first, second) for _, first, second in doubles(chain, {})}
        for name, first, second in doubles(chain, keymap):
            if (first, second) not in usual and {first, second} & keymap.keys():
                raise _misuse(
                    f"{display(name)} would mean both {first!r} and {second!r} ({info.name}): "
                    "give one of them another key"
                )


def doubles(chain: Sequence[type[DOMNode]], keymap: Keymap) -> Iterator[tuple[str, str, str]]:
    """The keys that mean two things in a chain, with the ids of both."""
    meant: dict[str, dict[str, None]] = {}
    for kind in chain:
        for binding in bindings_of(kind):
            for name in keys_of(binding, keymap):
                meant.setdefault(name, {})[binding.id or ""] = None
    for name, ids in meant.items():
        yield from ((name, first, second) for first, second in combinations(sorted(ids), 2))


def _misuse(reason: str) -> UsageError:
    return UsageError(f"{config.config_path()}: keys: {reason}")
