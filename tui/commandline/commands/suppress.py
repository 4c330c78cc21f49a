"""``trailhound suppress``: add, list and lift suppressions."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec

from detector.cloudtrail.record import json_text
from detector.store import Store
from detector.text.time import format_time
from detector.text.visible import visible
from detector.triage.suppression import (
    ALWAYS_BREAKING_FLAGS,
    NOVELTY_POINTS,
    SCOPES,
    Suppression,
    preview_suppression,
)
from tui.commandline.commands.common import load_risk, narrate, parse_interval_option
from tui.settings import config
from tui.settings.errors import EXIT_OK, UsageError


def run(args: argparse.Namespace) -> int:
    store = Store.open(config.state_path(args.db))
    try:
        {"add": _add, "list": _list, "lift": _lift}[args.action](store, args)
    finally:
        store.close()
    return EXIT_OK


def _add(store: Store, args: argparse.Namespace) -> None:
    scope, value = next(
        (scope, given)
        for scope in SCOPES
        if (given := getattr(args, scope.replace("-", "_"))) is not None
    )
    now, lasting = time.time(), parse_interval_option(args.interval, "--for")
    alerts, until = store.alerts.all(), store.files.newest_event_time() or now
    try:
        wanted = Suppression(
            scope,
            value,
            args.rule,
            now,
            now + lasting,
            args.ticket,
            args.owner,
            args.justification,
            break_at=args.break_at,
            ignored_flags=sorted(_waived(args.waive)),
        )
        [made] = store.triage.suppress([wanted])
    except ValueError as error:
        raise UsageError(str(error)) from None
    hidden, through = preview_suppression(made, alerts, until)
    print(made.suppression_id)
    narrate(
        f"hides {made.scope} {made.value} until {format_time(made.expires)}; "
        f"of the last 30 days' alerts it hides {len(hidden)}; {len(through)} break through"
    )
    for alert, brought in through:
        narrate(f"  {format_time(alert.first_event)}  {alert.alert_id}  {', '.join(brought)}")


def _waived(names: list[str]) -> set[str]:
    known = {*ALWAYS_BREAKING_FLAGS, *NOVELTY_POINTS, *load_risk().flags, "tool-tell"}
    if strange := sorted(set(names) - known):
        raise ValueError(
            f"{strange[0]}: nothing of that name breaks through: name one of {', '.join(sorted(known))}"
        )
    return set(names)


def _list(store: Store, args: argparse.Namespace) -> None:
    now = time.time()
    for made in store.suppressions.all():
        if args.format == "jsonl":
            print(
                json_text(
                    {
                        **msgspec.to_builtins(made),
                        "state": made.state(now),
                        **{
                            name: format_time(getattr(made, name))
                            for name in ("created", "expires")
                        },
                        "lifted": None if made.lifted is None else format_time(made.lifted),
                    }
                )
            )
        else:
            sys.stdout.write(
                f"{made.suppression_id}  {made.state(now):7}  until {format_time(made.expires)}  "
                f"hidden {made.hidden:5}  {made.scope} {visible(made.value)}  "
                f"{visible(' · '.join(filter(None, (made.ticket, made.owner, made.justification))))}\n"
            )


def _lift(store: Store, args: argparse.Namespace) -> None:
    [made] = store.triage.lift([args.id])
    narrate(f"lifted {made.suppression_id}: {made.scope} {made.value}")
