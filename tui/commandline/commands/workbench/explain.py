"""``trailhound explain``: why a rule fired for a principal or an event, or did not."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable

from detector.detection.record_search import Selector
from detector.sources.file_span import FileSpan
from detector.text.json_output import json_lines
from detector.text.visible import visible
from detector.workbench.bench import Bench
from detector.workbench.report import Explanation, explain_event, explain_principal, rows_of_files
from detector.workbench.variant import VariantError
from tui.commandline.bench_inputs import open_bench
from tui.commandline.inputs import open_fields, open_named_sources, readable_files
from tui.commandline.narration import warn
from tui.settings.errors import EXIT_OK, CommandError, UsageError

_EVER = 1 << 40


def run(args: argparse.Namespace) -> int:
    event_id = _take_event_id(args)
    with contextlib.ExitStack() as stack:
        try:
            bench = open_bench(args, stack)
            explanation = _explain(args, bench, event_id, stack)
        except VariantError as error:
            raise CommandError(str(error)) from None
    if args.format == "jsonl":
        rule = {"id": bench.rule.rule_id, "name": bench.rule.name}
        sys.stdout.write(json_lines([{"rule": rule, **explanation.content}]))
    else:
        print(*map(visible, explanation.lines), sep="\n")
    return EXIT_OK


def _take_event_id(args: argparse.Namespace) -> str:
    """Remove the event id from the sources and return it; ``""`` if a principal is named."""
    if args.principal:
        return ""
    if args.principal is not None:
        raise UsageError("--principal is empty: name an ARN, role, session or access key")
    if not args.sources:
        raise UsageError("explain whom? name --principal ARN, or an event's id after the rule")
    event_id: str = args.sources.pop(0)
    return event_id


def _explain(
    args: argparse.Namespace, bench: Bench, event_id: str, stack: contextlib.ExitStack
) -> Explanation:
    def files(selector: Selector) -> Iterable[FileSpan]:
        if bench.store is not None:
            return bench.store.chunks.file_spans(0, _EVER, selector)
        source = open_named_sources(args.sources, live=False, allow_buckets=args.allow_bucket)
        stack.callback(source.close)
        return [FileSpan(file.path, file.size) for file in readable_files(source)]

    fields = open_fields(args.asn_db, args.geo_db)
    read = rows_of_files(files, lambda reason: warn(f"not read: {reason}"))
    if event_id:
        return explain_event(bench, event_id, {}, fields, read)
    return explain_principal(bench, args.principal, {}, fields, read)
