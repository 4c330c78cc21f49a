"""Arguments common to all backfills: accounts, regions and a span of event times."""

from __future__ import annotations

import argparse
import re

from detector.backfill.spans import Span
from tui.commandline.inputs import parse_time_option
from tui.settings.errors import UsageError


def check_folders(args: argparse.Namespace) -> None:
    """Raise UsageError for a value that is not a valid account id or region."""
    for account in args.accounts:
        if not re.fullmatch(r"\d{12}", account):
            raise UsageError(f"--account {account}: an account id has 12 digits")
    for region in args.regions:
        if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d", region):
            raise UsageError(f"--region {region}: no name of a region, as eu-west-1")


def asked_span(args: argparse.Namespace) -> Span:
    """Parse ``--since`` and ``--until``. Raises UsageError."""
    since = parse_time_option(args.since, "--since")
    until = parse_time_option(args.until, "--until")
    if since is None or until is None or since >= until:
        raise UsageError("--since and --until: the end is not after the beginning")
    return Span(since, until)
