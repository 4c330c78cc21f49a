"""The analyst's own keys, from ``[keys]`` in the configuration.

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
"""Keys by binding id: Textual's key names, separated by commas."""

_SENT_AS = {
    "ctrl+i": "tab",
    "ctrl+m": "enter",
    "ctrl+h": "backspace",
    "ctrl+j": "a new line",
    "ctrl+[": "escape",
}
"""Keys that terminals cannot send: they send these instead."""

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
    """Read the analyst's keys from the configuration. Raises CommandError and UsageError."""
    return parse_keymap(config.load_config().keys)


def parse_keymap(configured_keys: Mapping[str, str | Sequence[str]]) -> Keymap:
    """Check the configured keys, and return them with Textual's key names.

    Raises UsageError for unknown ids, for keys that no terminal sends, for keys that are needed for
    typing, and for keys that would mean two things on one screen.
    """
    if not configured_keys:
        return {}
    bindings = every_binding()
    keymap = {}
    for id, keys in configured_keys.items():
        if id not in bindings:
            raise _unknown_id(id, bindings)
        names = [keys] if isinstance(keys, str) else keys
        if not names:
            raise _usage_error(f"{id!r} has no key: name one or remove the line")
        keymap[id] = ",".join(_parse_key(id, name) for name in names)
    for info in SCREENS:
        _refuse_typed(info, keymap)
        _refuse_clashes(info, keymap)
    return keymap


def keys_of(binding: Binding, keymap: Keymap) -> list[str]:
    """Return the keys of a binding, as Textual's key names."""
    keys = keymap.get(binding.id or "", binding.key)
    return [_PUNCTUATION.get(name, name) for name in keys.split(",")]


def _unknown_id(id: str, bindings: Mapping[str, Binding]) -> UsageError:
    similar = get_close_matches(id, bindings, 1, 0.5)
    hint = f", did you mean {similar[0]!r}?" if similar else ""
    return _usage_error(f"unknown key id {id!r}{hint}; `trailhound keys` lists them all")


def _parse_key(id: str, key: str) -> str:
    name = "space" if key == " " else _PUNCTUATION.get(key, key)
    if name in _SENT_AS:
        raise _usage_error(f"{id!r}: terminals send {_SENT_AS[name]} for {key}: choose another key")
    if name not in _TYPED and name not in _NAMED:
        raise _usage_error(
            f"{id!r}: {key!r} is not a key that every terminal sends: choose a letter, digit "
            "or sign, f1 to f12, ctrl+letter, or a name such as space, enter, pageup"
        )
    return name


def _refuse_typed(info: ScreenInfo, keymap: Keymap) -> None:
    """Refuse keys that would type or edit text on a screen with text fields."""
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
                raise _usage_error(
                    f"{binding.id!r}: {display(name)} is for typing where it works "
                    f"({info.name}): choose a function key, or ctrl+ and another letter"
                )


def _refuse_clashes(info: ScreenInfo, keymap: Keymap) -> None:
    """Refuse keys that mean two things on a screen, unless the default keys clash too."""
    for chain in info.chains():
        by_default = {(first, second) for _, first, second in clashes(chain, {})}
        for name, first, second in clashes(chain, keymap):
            if (first, second) not in by_default and {first, second} & keymap.keys():
                raise _usage_error(
                    f"{display(name)} would mean both {first!r} and {second!r} ({info.name}): "
                    "give one of them another key"
                )


def clashes(chain: Sequence[type[DOMNode]], keymap: Keymap) -> Iterator[tuple[str, str, str]]:
    """Yield (key, first binding id, second binding id) for each clash in a look-up chain."""
    ids_by_key: dict[str, dict[str, None]] = {}
    for kind in chain:
        for binding in bindings_of(kind):
            for name in keys_of(binding, keymap):
                ids_by_key.setdefault(name, {})[binding.id or ""] = None
    for name, ids in ids_by_key.items():
        for first, second in combinations(sorted(ids), 2):
            yield name, first, second


def _usage_error(reason: str) -> UsageError:
    return UsageError(f"{config.config_path()}: keys: {reason}")
