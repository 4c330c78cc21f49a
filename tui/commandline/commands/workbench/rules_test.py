"""``trailhound rules test``: run the examples stored next to rule files."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.rules.ruleset import load
from detector.text.plural import plural
from detector.text.private_files import write_export
from detector.text.visible import visible
from detector.workbench.expectations import ExamplesError, junit, run_examples
from tui.commandline.narration import narrate, warn
from tui.settings import config
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    paths = [Path(name).expanduser() for name in args.files]
    for path in paths:
        if not path.exists():
            raise CommandError(f"{path}: no such rule file or folder: check the name")
    settings = config.load_config()
    rules = load(
        paths,
        builtin=False,
        placeholders=settings.placeholders,
        lookups=config.lookup_sources(),
    )
    for problem in rules.problems:
        warn(f"rule not loaded: {problem}")
    try:
        outcomes = list(run_examples(rules))
    except ExamplesError as error:
        raise CommandError(str(error)) from None
    if args.junit:
        try:
            write_export(Path(args.junit).expanduser(), junit(outcomes))
        except OSError as error:
            raise CommandError(f"{args.junit}: {error.strerror}: name another file") from None
    failed = [each for each in outcomes if not each.passed]
    for each in failed:
        print(visible(f"{each.path}:{each.line}: {each.rule.name}: {each.name}: {each.sentence}"))
    of_rules = plural(len({each.rule.rule_id for each in outcomes}), "rule")
    narrate(f"{plural(len(outcomes), 'example')} of {of_rules}, {len(failed)} failed")
    if not outcomes:
        raise CommandError("no examples: write NAME.examples.jsonl beside NAME.toml")
    return EXIT_FAILED if failed or rules.problems else EXIT_OK
