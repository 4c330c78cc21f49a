"""The keys for decisions on a hunt, in the list of hunts and on a hunt's own screen."""

from __future__ import annotations

from tui.keymap import TRIAGE, key

DECISION_KEYS = (
    key("hunt.edit", "c", "edit", "edit", "Edit name, hypothesis and scope", TRIAGE, show=True),
    key(
        "hunt.conclude",
        "d",
        "conclude",
        "conclude",
        "Conclude the hunt: say what came of it",
        TRIAGE,
        show=True,
    ),
    key("hunt.reopen", "u", "reopen", "reopen", "Reopen a concluded hunt", TRIAGE, show=True),
)
