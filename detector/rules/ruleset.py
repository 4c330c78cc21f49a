"""Loads rule files into a rule set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from detector.ecs.asn import AsnLookup, open_asn
from detector.ecs.fields import field_table
from detector.ecs.geo import GeoLookup, open_geo
from detector.esql.lookup.files import Lookups, LookupSource
from detector.rules.reading import RULE_SUFFIXES, read_rule_files, read_rule_text
from detector.rules.rule import CompileContext, Rule
from detector.rules.rule_cache import ReadResult
from detector.rules.rule_file import RuleError, RuleNotice, file_position
from detector.rules.rule_summary import WindowMode

EXAMPLES_SUFFIX = ".examples.jsonl"
"""The suffix of files with example events, which lie next to rule files."""
_BUILTIN = Path(__file__).parent / "builtin"


class RuleProblem(msgspec.Struct, frozen=True):
    """Why a rule is not used; ``line`` and ``column`` count from 1; line 0: the whole file."""

    path: Path
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{file_position(self.path, self.line, self.column)}: {self.message}"


class RuleSpec(msgspec.Struct, frozen=True):
    """What a rule set was loaded from.

    It can be pickled, so that another process can load the same rules. ``disabled``: ids of rules
    to leave out. ``placeholders``: the values of placeholders in Sigma rules, by name. ``lookups``:
    the sources of the tables of ENRICH and LOOKUP JOIN, by name."""

    paths: tuple[Path, ...]
    builtin: bool
    mode: WindowMode
    asn: Path | None
    now: int | None = None
    disabled: frozenset[str] = frozenset()
    placeholders: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    geo: Path | None = None
    lookups: Mapping[str, LookupSource] = msgspec.field(default_factory=dict)

    @property
    def files(self) -> Iterator[Path]:
        """All files that the rules depend on, in order."""
        yield from _rule_paths(self.paths, self.builtin)
        yield from self.lookup_files

    @property
    def lookup_files(self) -> Iterator[Path]:
        """The files of the lookup tables that rules may name."""
        return (source.path for source in self.lookups.values())


class FileNotice(NamedTuple):
    """A file that is not read, or that contains something other than a rule."""

    path: Path
    notice: RuleNotice


FileStamps = tuple[tuple[str, int, int], ...]
"""The files that rules depend on, each with its mtime (ns) and size (bytes)."""


class RuleSet:
    """Rules by their id, and the problems of files that could not be used.

    ``notices`` are about files and documents that are not rules. ``stamps`` were taken when the
    files were read."""

    def __init__(
        self,
        rules: Sequence[Rule],
        problems: Sequence[RuleProblem],
        spec: RuleSpec,
        stamps: FileStamps,
        notices: Sequence[FileNotice] = (),
        geo: GeoLookup | None = None,
        context: CompileContext | None = None,
    ) -> None:
        self._rules = {rule.rule_id: rule for rule in rules}
        self.problems = list(problems)
        self.notices = list(notices)
        self._spec = spec
        self._stamps = stamps
        self._geo = geo
        self._context = context

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def has_places(self) -> bool:
        """Whether there is a database for the locations of addresses."""
        return self._geo is not None

    def with_place(self, address: str) -> str:
        """Return an address with its location in brackets, if the database has one."""
        place = self._geo.lookup(address).name if self._geo else None
        if place is None:
            return address
        return f"{address} ({place})"

    def get(self, rule_id: str) -> Rule | None:
        return self._rules.get(rule_id)

    @property
    def flagging(self) -> tuple[Rule, ...]:
        """The rules whose hits raise flags on nearby alerts."""
        return tuple(rule for rule in self if rule.flag)

    @property
    def longest_window(self) -> int:
        """The longest time in seconds over which a rule combines events.

        The history of new-terms rules is not included."""
        return max(
            (max(rule.query.window or 0, rule.gap) for rule in self if rule.query.shape != "terms"),
            default=0,
        )

    @property
    def mode(self) -> WindowMode:
        return self._spec.mode

    @property
    def fingerprint(self) -> str:
        """A hash that changes if the rules could find something else."""
        parts = (self.mode, *sorted(rule.fingerprint for rule in self))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

    def spec(self) -> RuleSpec:
        return self._spec

    @property
    def context(self) -> CompileContext:
        """What its rules were compiled with in addition to their files."""
        return self._context or CompileContext(field_table())

    def without(self, disabled: Collection[str]) -> RuleSet:
        """Return the rules whose ids are not in ``disabled``."""
        enabled = [rule for rule in self if rule.rule_id not in disabled]
        spec = msgspec.structs.replace(
            self._spec, disabled=self._spec.disabled | frozenset(disabled)
        )
        return RuleSet(
            enabled, self.problems, spec, self._stamps, self.notices, self._geo, self._context
        )

    def read_text(self, path: Path, text: str) -> Iterator[ReadResult]:
        """Yield the results of a file as if it had this text, along with the other files."""
        assert self._context is not None
        yield from read_rule_text(path, text, self._context, list(self._spec.files))

    def reloaded(self) -> RuleSet:
        """Load the same files again, as they are now."""
        return RuleSet.from_spec(self._spec)

    @property
    def changed(self) -> bool:
        """Whether a rule file was added, removed or written since loading."""
        return _stamp_files(self._spec.files) != self._stamps

    @classmethod
    def from_spec(cls, spec: RuleSpec) -> RuleSet:
        rules = load(
            spec.paths,
            spec.builtin,
            spec.mode,
            spec.asn,
            spec.now,
            placeholders=spec.placeholders,
            geo=spec.geo,
            lookups=spec.lookups,
        )
        return rules.without(spec.disabled)

    def __reduce__(self) -> tuple[object, ...]:
        return RuleSet.from_spec, (self._spec,)


def load(
    paths: Sequence[Path] = (),
    builtin: bool = True,
    mode: WindowMode = "tumbling",
    asn: AsnLookup | Path | None = None,
    now: int | None = None,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    geo: GeoLookup | Path | None = None,
    lookups: Mapping[str, LookupSource] | None = None,
) -> RuleSet:
    """Load the rules in ``paths``, and the built-in ones if ``builtin``.

    A path is a file or a directory. A file that cannot be used becomes a problem; the others are
    loaded. A rule with the id of a built-in rule replaces it. ``asn`` and ``geo``: the databases of
    the addresses' autonomous systems and locations. ``now``: the value of NOW(), in seconds since
    the epoch; by default it follows from the events. ``placeholders``: the values of placeholders
    in Sigma rules, by name. ``lookups``: the sources of the tables of ENRICH and LOOKUP JOIN, by
    name. Raises AddressDatabaseError if ``asn`` or ``geo`` is not such a database."""
    if isinstance(asn, Path):
        asn = open_asn(asn)
    if isinstance(geo, Path):
        geo = open_geo(geo)
    spec = RuleSpec(
        tuple(paths),
        builtin,
        mode,
        asn.path if asn else None,
        now,
        placeholders=placeholders or {},
        geo=geo.path if geo else None,
        lookups=lookups or {},
    )
    context = CompileContext(
        field_table(asn, geo),
        now,
        placeholders=spec.placeholders,
        lookups=Lookups(spec.lookups),
    )
    rule_paths = list(_rule_paths(spec.paths, builtin))
    # Taken before the files are read, so that a later change is not missed.
    stamps = _stamp_files([*rule_paths, *spec.lookup_files])
    rules: dict[str, Rule] = {}
    problems = []
    notices = list(unread_files(paths))
    for path, result in read_rule_files(rule_paths, context):
        match result:
            case RuleError():
                problems.append(RuleProblem(path, result.line, result.column, result.message))
            case RuleNotice():
                notices.append(FileNotice(path, result))
            case Rule():
                other = rules.get(result.rule_id)
                if other is None or other.path.is_relative_to(_BUILTIN):
                    rules[result.rule_id] = result
                    continue
                message = f"the same rule_id as {other.path}, which stands"
                problems.append(RuleProblem(path, 0, 1, message))
    return RuleSet(list(rules.values()), problems, spec, stamps, notices, geo, context)


_NO_RULES = RuleNotice("", "no rule files, not read")
_FOLDER_LINK = RuleNotice("", "links to folders, not followed: name the folders themselves")


def unread_files(paths: Sequence[Path]) -> Iterator[FileNotice]:
    """Yield a notice for each file or link in directories of rules that is not read.

    Hidden files are ignored."""
    for directory in filter(Path.is_dir, paths):
        yield from sorted(_unread_below(directory))


def _unread_below(directory: Path) -> Iterator[FileNotice]:
    for place, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(place, name) for name in folders):
            if path.is_symlink():
                yield FileNotice(path, _FOLDER_LINK)
        for name in names:
            is_known = _has_rules(name) or name.endswith(EXAMPLES_SUFFIX)
            if not is_known and not name.startswith(".") and os.path.isfile(f"{place}/{name}"):
                yield FileNotice(Path(place, name), _NO_RULES)


def _rule_paths(paths: Sequence[Path], builtin: bool) -> Iterator[Path]:
    if builtin:
        return rule_files([_BUILTIN, *paths])
    return rule_files(paths)


def _stamp_files(paths: Iterable[Path]) -> FileStamps:
    stamps = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # removed in the meantime
        stamps.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(stamps)


def rule_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files in ``paths``, and the rule files in its directories."""
    for path in paths:
        if path.is_dir():
            yield from map(Path, sorted(_files_below(path), key=_path_parts))
        else:
            yield path


def _files_below(folder: Path) -> Iterator[str]:
    """Yield the rule files below a folder, and folders that cannot be opened, to be reported."""
    closed: list[str] = []
    for place, _, names in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        yield from (os.path.join(place, name) for name in names if _has_rules(name))
    yield from closed


def _has_rules(name: str) -> bool:
    """Return whether a file of this name is read for rules."""
    return name.endswith(RULE_SUFFIXES) and name not in RULE_SUFFIXES


def _path_parts(path: str) -> list[str]:
    """Return a sort key for a path; it orders as Python compares paths."""
    return path.split(os.sep)
