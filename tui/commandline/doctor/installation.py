"""Checks of the installation, the configuration and the sources."""

from __future__ import annotations

import glob
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from detector import __version__
from detector.ecs.address_database import AddressDatabaseError
from detector.ecs.asn import open_asn
from detector.ecs.geo import open_geo
from detector.formats.native import cut, library
from detector.rules.ruleset import load
from detector.sources.open import expand_lists
from detector.sources.source import NoSource
from detector.store import SQLITE
from detector.text.installation import add_command, extra_command
from tui.commandline.doctor import Check
from tui.commandline.inputs import load_risk
from tui.settings import config
from tui.settings.config import Config
from tui.settings.errors import CommandError

_EXTRAS = {"s3": "obstore", "aws": "boto3", "parquet": "pyarrow"}
"""The module that each extra installs, by extra."""

_EXTRA_OF_SCHEME = {"s3://": "s3", "sqs://": "aws"}
"""The extra that a source needs, by the prefix of the source's name."""

_MIN_SQLITE = (3, 37)
"""The first SQLite version with STRICT tables (sqlite.org/stricttables.html)."""


def version_checks() -> Iterator[Check]:
    """Check the versions of Python, Textual, SQLite and the extras."""
    python = platform.python_version()
    yield Check("trailhound", "ok", f"{__version__}, Python {python}, {platform.system()}")
    try:
        textual = version("textual")
    except PackageNotFoundError:
        yield Check("textual", "problem", "not installed", "install trailhound again")
        return
    yield _textual_version(textual)
    yield _sqlite_version()
    yield _native_cut()
    yield _extras()


def _textual_version(installed: str) -> Check:
    required = _required_textual()
    if required and installed != required:
        return Check(
            "textual",
            "warning",
            f"{installed}, made for {required}",
            add_command([f"textual=={required}"]),
        )
    return Check("textual", "ok", installed)


def _required_textual() -> str:
    """Return the version of Textual that trailhound pins, or ""."""
    for requirement in requires("trailhound") or []:
        if requirement.startswith("textual=="):
            return requirement.partition("==")[2].split(";")[0].strip()
    return ""


def _sqlite_version() -> Check:
    if tuple(map(int, SQLITE.split("."))) < _MIN_SQLITE:
        return Check(
            "sqlite", "problem", SQLITE, "the state needs 3.37 or newer: use a newer Python"
        )
    return Check("sqlite", "ok", SQLITE)


def _native_cut() -> Check:
    if cut.is_available():
        return Check("native cut", "ok", "records are cut in native code")
    if os.environ.get("TRAILHOUND_NATIVE") == "0":
        return Check("native cut", "ok", "switched off by TRAILHOUND_NATIVE=0")
    if library.is_outdated():
        finding = "built from other sources, or for another machine, and not used"
        return Check("native cut", "warning", finding, "install trailhound again")
    finding = "not built: records are cut in Python; install with a C compiler to have it"
    return Check("native cut", "ok", finding)


def _extras() -> Check:
    installed = [extra for extra, module in _EXTRAS.items() if _is_installed(module)]
    missing = [extra for extra in _EXTRAS if extra not in installed]
    finding = f"installed: {' '.join(installed)}" if installed else "none installed"
    if missing:
        finding += f"; {extra_command(*missing)} adds {' '.join(missing)}"
    return Check("extras", "ok", finding)


def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


def configuration_checks() -> Iterator[Check]:
    """Check the configuration file and the files that it names."""
    path = config.config_path()
    try:
        settings = config.load_config()
    except CommandError as error:
        yield Check("configuration", "problem", str(error))
        return
    yield Check("configuration", "ok", f"{path}{'' if path.exists() else ' (none)'}")
    yield from _risk_checks()
    yield from _rule_checks(settings)
    if settings.asn_db:
        yield _database_check("networks", "asn_db", settings.asn_db, open_asn)
    if settings.geo_db:
        yield _database_check("places", "geo_db", settings.geo_db, open_geo)


def _risk_checks() -> Iterator[Check]:
    try:
        load_risk()
    except CommandError as error:
        yield Check("risk", "problem", str(error))


def _rule_checks(settings: Config) -> Iterator[Check]:
    paths = [Path(name).expanduser() for name in settings.rules]
    missing = [path for path in paths if not path.exists()]
    for path in missing:
        yield Check(
            "rules",
            "problem",
            f"{path}: no such file or folder",
            f"correct rules in {config.config_path()}",
        )
    rules = load([path for path in paths if path not in missing])
    for problem in rules.problems:
        yield Check(
            "rules", "warning", str(problem), "the others run; trailhound rules check says more"
        )
    yield Check("rules", "ok", f"{len(rules):,} loaded")


def _database_check(what: str, key: str, name: str, open: Callable[[Path], object]) -> Check:
    try:
        open(Path(name).expanduser())
    except AddressDatabaseError as error:
        return Check(what, "problem", str(error), f"correct {key} in {config.config_path()}")
    return Check(what, "ok", name)


def source_checks(names: Sequence[str]) -> Iterator[Check]:
    """Check whether the named sources could be read, without a request to any bucket."""
    try:
        expanded_names = list(expand_lists(names))
    except NoSource as error:
        yield Check("source", "problem", str(error))
        return
    for name in expanded_names:
        yield _source_check(name)


def _source_check(name: str) -> Check:
    for scheme, extra in _EXTRA_OF_SCHEME.items():
        if name.startswith(scheme):
            return _remote_check(name, extra)
    if glob.has_magic(name):
        return _pattern_check(name)
    if not os.path.exists(name):
        return Check("source", "problem", f"{name}: no such file or folder", "check the name")
    mode = os.R_OK
    if os.path.isdir(name):
        mode |= os.X_OK
    if not os.access(name, mode):
        return Check(
            "source", "problem", f"{name} is not readable for you", "ask for read permission"
        )
    return Check("source", "ok", name)


def _remote_check(name: str, extra: str) -> Check:
    if _is_installed(_EXTRAS[extra]):
        return Check("source", "ok", f"{name}; it is not asked here")
    return Check("source", "problem", f"{name} needs the extra {extra}", extra_command(extra))


def _pattern_check(name: str) -> Check:
    matches = sum(1 for _ in glob.iglob(name, recursive=True))
    if matches:
        return Check("source", "ok", f"{name}, {matches:,} now")
    return Check(
        "source",
        "warning",
        f"{name} matches nothing now",
        "check the pattern; what comes later is read",
    )
