"""``trailhound rules``: what is loaded, and whether rule files can be used."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.rules import Rule, load
from detector.visible import visible
from tui.cli import FAILED, RAN
from tui.commands.common import rules_of, say


def run(args: argparse.Namespace) -> int:
    if args.files is None:
        for rule in rules_of(args):
            print(f"{rule.rule_id}  {rule.severity:8}  {visible(rule.name)}\n    {visible(_in_words(rule))}")
        return RAN
    rules = load([Path(name) for name in args.files], builtin=False)
    for rule in rules:
        print(f"{rule.path}: {visible(rule.name)}: {visible(_in_words(rule))}")
    for problem in rules.problems:
        say(str(problem))
    return FAILED if rules.problems else RAN


def _in_words(rule: Rule) -> str:
    query = rule.query
    if query.window is None:
        return "each event that its query lets through"
    keys = ", ".join(query.key_names) or "all callers together"
    return f"in windows of {query.window} s by {keys}: {' and '.join(rule.thresholds) or 'any event'}"
