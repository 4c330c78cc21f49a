"""``trailhound suppress``: add, list and lift suppressions."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec

from detector.cloudtrail.record import json_text
from detector.store import Store
from detector.text.json_output import escape_json
from detector.text.time import format_time
from detector.text.visible import visible
from detector.triage.suppression import (
    ALWAYS_BREAKING_FLAGS,
    NOVELTY_POINTS,
    SCOPES,
    Scope,
    Suppression,
    preview_suppression,
)
from tui.commandline.inputs import decision_author, load_risk, parse_interval_option
from tui.commandline.narration import narrate
from tui.settings import config
from tui.settings.errors import EXIT_OK, UsageError


def run(args: argparse.Namespace) -> int:
    store = Store.open(config.state_path(args.db), author=decision_author(args))
    try:
        {"add": _add, "list": _list, "lift": _lift}[args.action](store, args)
    finally:
        store.close()
    return EXIT_OK


def _add(store: Store, args: argparse.Namespace) -> None:
    duration = parse_interval_option(args.interval, "--for")
    scope, value = _scope_and_value(args)
    _require_fields(args)
    now = time.time()
    alerts = store.alerts.all()
    until = store.files.newest_event_time() or now
    try:
        draft = Suppression(
            scope,
            value,
            args.rule,
            now,
            now + duration,
            args.ticket,
            args.owner,
            args.justification,
            break_at=args.break_at,
            ignored_flags=sorted(_checked_flags(args.waive)),
        )
        [suppression] = store.triage.suppress([draft])
    except ValueError as error:
        raise UsageError(str(error)) from None
    hidden, breaking = preview_suppression(suppression, alerts, until)
    print(suppression.suppression_id)
    narrate(
        f"hides {suppression.scope} {suppression.value} until {format_time(suppression.expires)}; "
        f"of the last 30 days' alerts it hides {len(hidden):,}; {len(breaking):,} are still shown"
    )
    for alert, novelties in breaking:
        narrate(f"  {format_time(alert.first_event)}  {alert.alert_id}  {', '.join(novelties)}")


def _require_fields(args: argparse.Namespace) -> None:
    """Raise UsageError if a field that the configuration requires is missing."""
    values = {"ticket": args.ticket, "owner": args.owner, "reason": args.justification}
    options = {"ticket": "--ticket", "owner": "--owner", "reason": "--reason"}
    missing = [options[field] for field in config.load_config().require if not values[field]]
    if missing:
        raise UsageError(f"required by the configuration: {', '.join(missing)}")


def _scope_and_value(args: argparse.Namespace) -> tuple[Scope, str]:
    """Return the scope that was given as an option, and its value; the parser requires one."""
    for scope in SCOPES:
        value = getattr(args, scope.replace("-", "_"))
        if value is not None:
            return scope, value
    raise AssertionError("the parser lets no command pass without a scope")


def _checked_flags(names: list[str]) -> set[str]:
    """Return the flags to ignore. Raises ValueError for an unknown one."""
    flags = {*ALWAYS_BREAKING_FLAGS, *NOVELTY_POINTS, *load_risk().flags, "tool-tell"}
    unknown = sorted(set(names) - flags)
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown activity: name one of {', '.join(sorted(flags))}")
    return set(names)


def _list(store: Store, args: argparse.Namespace) -> None:
    now = time.time()
    for suppression in store.suppressions.all():
        if args.format == "jsonl":
            print(escape_json(json_text(_as_json(suppression, now))))
        else:
            sys.stdout.write(_table_line(suppression, now))


def _as_json(suppression: Suppression, now: float) -> dict[str, object]:
    lifted = suppression.lifted
    return {
        **msgspec.to_builtins(suppression),
        "state": suppression.state(now),
        "created": format_time(suppression.created),
        "expires": format_time(suppression.expires),
        "lifted": None if lifted is None else format_time(lifted),
    }


def _table_line(suppression: Suppression, now: float) -> str:
    reasons = (suppression.ticket, suppression.owner, suppression.justification)
    return (
        f"{suppression.suppression_id}  {suppression.state(now):7}"
        f"  until {format_time(suppression.expires)}  hidden {suppression.hidden:5}"
        f"  {suppression.scope} {visible(suppression.value)}"
        f"  {visible(' · '.join(filter(None, reasons)))}\n"
    )


def _lift(store: Store, args: argparse.Namespace) -> None:
    [suppression] = store.triage.lift([args.id])
    narrate(f"ended {suppression.suppression_id}: {suppression.scope} {suppression.value}")
