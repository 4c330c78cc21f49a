"""Cost of a team's rules in addition to the built-in ones."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.corpus import cached, write_trail
from benchmarks.engine import BEFORE, NOW, scan, versions
from benchmarks.process import apart, measure
from benchmarks.report import Report, at_most, unmeasured
from benchmarks.scale import Scale

_FOLDERS = "TRAILHOUND_RULES"
_LIMIT = 2.0


def rules(scale: Scale, folder: Path) -> Report:
    """Measure the folders of rules below $TRAILHOUND_RULES, beside the built-in.

    Starting up, and with it the compiling of the rules, is not in the ratio.
    """
    sets = _sets()
    if not sets:
        why = f"name a folder of folders of rule files in {_FOLDERS}"
        return Report("More rules", [(why,)], budgets=[unmeasured("more rules", why)])
    corpus = apart(cached, write_trail, scale.ordinary)
    empty, home = folder / "empty", folder / "home"
    empty.mkdir()
    rows = [("", "files", "user CPU", "start-up", "to the built-in ones")]
    budgets = []
    per_set: dict[str, dict[str, float]] = {}
    for version, program in versions(scale).items():
        base = 0.0
        for name, path in {"the built-in rules": None, **sets}.items():
            options = ["--rules", str(path)] if path else []
            commands = {
                "start": scan(empty, *options, version=program),
                "scan": scan(corpus.root, *options, version=program),
            }
            measured = measure(commands, scale.rounds, home)
            user = measured["scan"].user - measured["start"].user
            base = base or user
            per_set.setdefault(name, {})[version] = user / base
            files = sum(1 for file in path.rglob("*") if file.is_file()) if path else 0
            rows.append(
                (
                    f"{version}, {name}",
                    f"{files:,}" if path else "",
                    f"{user:.2f} s",
                    f"{measured['start'].user:.2f} s",
                    f"{user / base:.2f}×",
                )
            )
    for name in sets:
        ratios = per_set[name]
        budgets.append(
            at_most(
                f"rules of {name}: to the built-in ones",
                _LIMIT,
                ratios[NOW],
                before=ratios.get(BEFORE),
            )
        )
    return Report(f"More rules: {corpus}", rows, budgets=budgets)


def _sets() -> dict[str, Path]:
    """Return the folders of rule files, by name."""
    root = os.environ.get(_FOLDERS)
    if not root:
        return {}
    return {path.name: path for path in sorted(Path(root).iterdir()) if path.is_dir()}
