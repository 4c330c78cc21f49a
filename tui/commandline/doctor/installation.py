"""What is installed, what is configured, and whether the sources can be read."""

from __future__ import annotations

import glob
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from detector import __version__
from detector.ecs.asn import AsnError, open_asn
from detector.rules.ruleset import load
from detector.sources.open import expand_lists
from detector.sources.source import NoSource
from detector.store import SQLITE
from tui.commandline.commands.common import load_risk
from tui.commandline.doctor import Check
from tui.settings import config
from tui.settings.config import Config
from tui.settings.errors import CommandError

_EXTRAS = {"s3": "obstore", "aws": "boto3", "parquet": "pyarrow"}
"""Extras and the module that each is there for."""

_NEEDS = {"s3://": "s3", "sqs://": "aws"}
"""Which extra a source needs, by how it begins."""

_SQLITE = (3, 37)
"""The first with STRICT tables (sqlite.org/stricttables.html)."""


def versions() -> Iterator[Check]:
    yield Check(
        "trailhound",
        "ok",
        f"{__version__}, Python {platform.python_version()}, {platform.system()}",
    )
    wanted = next(
        (
            line.partition("==")[2].split(";")[0].strip()
            for line in requires("trailhound") or []
            if line.startswith("textual==")
        ),
        "",
    )
    try:
        found = version("textual")
    except PackageNotFoundError:
        yield Check("textual", "problem", "not installed", "pip install trailhound again")
        return
    if wanted and found != wanted:
        yield Check(
            "textual", "warning", f"{found}, made for {wanted}", f"pip install textual=={wanted}"
        )
    else:
        yield Check("textual", "ok", found)
    if tuple(map(int, SQLITE.split("."))) < _SQLITE:
        yield Check(
            "sqlite", "problem", SQLITE, "the state needs 3.37 or newer: use a newer Python"
        )
    else:
        yield Check("sqlite", "ok", SQLITE)
    there = [extra for extra, module in _EXTRAS.items() if _installed(module)]
    missing = [extra for extra in _EXTRAS if extra not in there]
    yield Check(
        "extras",
        "ok",
        ", ".join(
            filter(
                None,
                (
                    f"installed: {' '.join(there)}" if there else "none installed",
                    f"pip install 'trailhound[{','.join(missing)}]' adds {' '.join(missing)}"
                    if missing
                    else "",
                ),
            )
        ),
    )


def _installed(module: str) -> bool:
    return find_spec(module) is not None


def configuration() -> Iterator[Check]:
    path = config.config_path()
    try:
        settings = config.load_config()
    except CommandError as error:
        yield Check("configuration", "problem", str(error))
        return
    yield Check("configuration", "ok", f"{path}{'' if path.exists() else ' (none)'}")
    yield from _risk()
    yield from _rules(settings)
    if settings.asn_db:
        try:
            open_asn(Path(settings.asn_db).expanduser())
            yield Check("networks", "ok", settings.asn_db)
        except AsnError as error:
            yield Check("networks", "problem", str(error), f"correct asn_db in {path}")


def _risk() -> Iterator[Check]:
    try:
        load_risk()
    except CommandError as error:
        yield Check("risk", "problem", str(error))


def _rules(settings: Config) -> Iterator[Check]:
    paths = [Path(name).expanduser() for name in settings.rules]
    missing = [path for path in paths if not path.exists()]
    yield from (
        Check(
            "rules",
            "problem",
            f"{path}: no such file or folder",
            f"correct rules in {config.config_path()}",
        )
        for path in missing
    )
    rules = load([path for path in paths if path not in missing])
    yield from (
        Check("rules", "warning", str(problem), "the others run; trailhound rules check says more")
        for problem in rules.problems
    )
    yield Check("rules", "ok", f"{len(rules):,} loaded")


def sources(names: Sequence[str]) -> Iterator[Check]:
    """Whether what is named could be read; buckets are not asked."""
    try:
        each = list(expand_lists(names))
    except NoSource as error:
        yield Check("source", "problem", str(error))
        return
    yield from map(_source, each)


def _source(name: str) -> Check:
    extra = next((extra for start, extra in _NEEDS.items() if name.startswith(start)), None)
    if extra is not None:
        if _installed(_EXTRAS[extra]):
            return Check("source", "ok", f"{name}; it is not asked here")
        return Check(
            "source",
            "problem",
            f"{name} needs the extra {extra}",
            f"pip install 'trailhound[{extra}]'",
        )
    if glob.has_magic(name):
        found = sum(1 for _ in glob.iglob(name, recursive=True))
        return (
            Check("source", "ok", f"{name}, {found:,} now")
            if found
            else Check(
                "source",
                "warning",
                f"{name} matches nothing now",
                "check the pattern; what comes later is read",
            )
        )
    if not os.path.exists(name):
        return Check("source", "problem", f"{name}: no such file or folder", "check the name")
    allowed = os.access(name, os.R_OK | (os.X_OK if os.path.isdir(name) else 0))
    return (
        Check("source", "ok", name)
        if allowed
        else Check(
            "source", "problem", f"{name} cannot be read by you", "ask for the right to read it"
        )
    )
