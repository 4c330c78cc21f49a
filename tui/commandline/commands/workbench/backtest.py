"""``trailhound backtest``: what a rule would find with other thresholds or another window."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detector.text.json_output import json_lines
from detector.text.plural import plural
from detector.text.time import format_exact, format_time
from detector.text.visible import visible
from detector.workbench.backtest import AlertChange, Backtest, ChangedPrincipal, Side
from detector.workbench.bench import Bench
from detector.workbench.explain import near_misses
from detector.workbench.settings import Axis, cells_of, parse_grid, parse_settings
from detector.workbench.variant import VariantError
from tui.commandline.bench_inputs import open_bench
from tui.commandline.narration import narrate
from tui.settings.errors import EXIT_OK, CommandError, UsageError

_SIGNS: dict[AlertChange, str] = {"comes": "+", "goes": "−", "stays": " "}


def run(args: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        try:
            return _run(args, open_bench(args, stack))
        except VariantError as error:
            raise CommandError(str(error)) from None


def _run(args: argparse.Namespace, bench: Bench) -> int:
    if args.settings is None and args.grid is None and not args.near:
        if args.save:
            raise UsageError("--save needs --set: the variant to save")
        _print_parameters(bench, args.format)
        return EXIT_OK
    values = {}
    if args.settings is not None:
        values = parse_settings(args.settings, bench.maker)
    if args.near:
        _print_near_misses(bench, values, args.format)
    elif args.grid is not None:
        _print_grid(bench, values, parse_grid(args.grid, bench.maker), args.format)
    else:
        result = bench.backtest(values)
        if args.format == "jsonl":
            sys.stdout.write(json_lines(_objects(bench, values, result)))
        else:
            print(*_lines(bench, values, result), sep="\n")
    _narrate_span(bench, values)
    if args.save:
        path = Path(args.save).expanduser()
        bench.maker.save(path, values, args.name, args.reason)
        narrate(f"saved as {path}; {bench.rule.name} runs too unless you disable it on Rules")
    return EXIT_OK


def _print_parameters(bench: Bench, format: str) -> None:
    """Print the rule's parameters, and what cannot be set."""
    parameters = bench.maker.parameters
    if format == "jsonl":
        sys.stdout.write(
            json_lines(
                {
                    "parameter": each.name,
                    "kind": each.kind,
                    "value": each.value,
                    "operator": each.operator or None,
                    "reads_logs": not each.keeps_hits,
                }
                for each in parameters.found
            )
        )
        return
    print(visible(bench.rule.name))
    for each in parameters.found:
        rest = "" if each.keeps_hits else "   (another value reads the logs again)"
        print(f"  {visible(each.label)}{rest}")
    for note in parameters.notes:
        print(f"  {visible(note)}")
    if not parameters.found:
        print("  no threshold and no window")


def _settings_text(bench: Bench, values: dict[str, int]) -> str:
    return ", ".join(bench.maker.parameter(name).labelled(value) for name, value in values.items())


def _lines(bench: Bench, values: dict[str, int], result: Backtest) -> Iterator[str]:
    yield visible(f"{bench.rule.name}: with {_settings_text(bench, values)}")
    yield (
        f"  fires now {_side(result.now)}; with this {_side(result.then)}; "
        f"+ {_count(result, 'comes')}, − {_count(result, 'goes')}, stays {_count(result, 'stays')}"
    )
    yield f"  precision by verdicts: {result.now.precision.text} → {result.then.precision.text}"
    names = [visible(row.principal, 90) or "(no ARN)" for row in result.rows]
    width = max(map(len, names), default=0)
    for row, name in zip(result.rows, names, strict=True):
        yield f"  {_SIGNS[row.change]} {name:{width}}{_row(row)}"


def _row(row: ChangedPrincipal) -> str:
    marks = [
        text
        for text, is_so in (("known benign", row.known_benign), ("suppressed", row.suppressed))
        if is_so
    ]
    mark = f"   {', '.join(marks)}" if marks else ""
    return f"  {row.alerts:4,}×  {row.extent}{mark}"


def _side(side: Side) -> str:
    return f"{plural(side.alerts, 'alert')}, {plural(side.principals, 'principal')}"


def _count(result: Backtest, change: AlertChange) -> str:
    alerts, principals = result.count(change), result.principals(change)
    return f"{plural(alerts, 'alert')} of {plural(principals, 'principal')}"


def _objects(bench: Bench, values: dict[str, int], result: Backtest) -> Iterator[dict[str, Any]]:
    yield {
        "rule": {"id": bench.rule.rule_id, "name": bench.rule.name},
        "set": values,
        "now": result.now.as_json(),
        "with": result.then.as_json(),
        "comes": result.count("comes"),
        "goes": result.count("goes"),
        "stays": result.count("stays"),
    }
    yield from (row.as_json() for row in result.rows)


def _print_near_misses(bench: Bench, values: dict[str, int], format: str) -> None:
    """Print the windows that came near an alert, the nearest first."""
    misses = near_misses(bench.held(values), bench.maker.rule_with(values))
    if format == "jsonl":
        sys.stdout.write(json_lines(miss.as_json() for miss in misses))
        return
    for miss in misses:
        name = visible(miss.principal, 90) or "(no ARN)"
        print(f"{miss.share:4.0%}  {name}\n      {visible(miss.sentence)}")
    narrate(plural(len(misses), "window") + " came near an alert")


def _print_grid(bench: Bench, fixed: dict[str, int], axes: Sequence[Axis], format: str) -> None:
    """Print the number of alerts and principals for each variant in a grid."""
    if format == "jsonl":
        for cell in cells_of(axes):
            alerts, principals = bench.counts(fixed | cell)
            counted = {"alerts": alerts, "principals": principals}
            sys.stdout.write(json_lines([{"set": fixed | cell, **counted}]))
        return
    *rows, columns = axes
    name = columns.parameter.name
    heads = [_value_text(columns, value) for value in columns.values]
    lines = [["", *heads]]
    for cell in cells_of(rows):
        label = ", ".join(bench.maker.parameter(key).labelled(value) for key, value in cell.items())
        line = [label]
        for value in columns.values:
            alerts, principals = bench.counts(fixed | cell | {name: value})
            line.append(f"{alerts:,}/{principals:,}")
        lines.append(line)
    print(f"{visible(bench.rule.name)}: alerts/principals by {visible(name)}")
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print(f"  {visible('  '.join(cells))}".rstrip())


def _value_text(axis: Axis, value: int) -> str:
    return format_exact(value) if axis.parameter.kind == "duration" else f"{value:,}"


def _narrate_span(bench: Bench, values: dict[str, int]) -> None:
    """Narrate which time span was compared, and what is missing from it."""
    held = bench.held(values)
    if held.span is None:
        narrate("no event passes the filter of this rule")
        return
    first, last = held.span
    narrate(f"{plural(held.hits, 'hit')} from {format_time(first)} to {format_time(last)}")
    evicted = bench.evicted_until()
    if evicted is not None:
        narrate(
            f"windows without an alert before {format_time(evicted)} were purged: a looser "
            "variant may have found more there"
        )
