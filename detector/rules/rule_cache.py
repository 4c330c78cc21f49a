"""The user's private cache of compiled rules: one file for each set of rule files.

A result is cached by the rule file's text and everything else that it is compiled with, including
our own code. If the cache cannot be read, rules are compiled again. Cache files of another user are
not read, and decoding a file can yield nothing but rules.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec

from detector import __version__
from detector.esql.plan.stored_query import (
    StoredQuery,
    depends_on_files,
    restore_query,
    store_query,
)
from detector.rules.rule import SIGMA_TYPES, CompileContext, Rule, query_options
from detector.rules.rule_file import Metadata, RuleError, RuleNotice
from detector.rules.rule_text import Advice
from detector.sigma.fields import SIGMA_FIELDS
from detector.text.late_pattern import late_pattern
from detector.text.private_files import replace_file

ReadResult = Rule | RuleNotice | RuleError

_PACKAGES = ("cloudtrail", "ecs", "eql", "esql", "rules", "sigma", "text")
"""The packages of ``detector`` that affect the result of reading a rule file."""
_LONGEST = 1 << 28
"""The greatest size of a cache file in bytes; longer ones are not read."""
_MOST_FILES = 16
_MOST_BYTES = 1 << 28
"""The greatest size of the cache on disk; the most recently used files are kept."""
_HASH_SIZE = 32
_READS_TABLES = late_pattern(r"\b(?:enrich|lookup)\b", re.IGNORECASE)


class _StoredRule(msgspec.Struct, frozen=True, tag="rule"):
    metadata: Metadata
    flag: str | None
    alerts: bool
    nulls: str
    fingerprint: str
    advice: list[Advice]
    query: StoredQuery


class _StoredNotice(msgspec.Struct, frozen=True, tag="notice"):
    title: str
    sentence: str


class _StoredError(msgspec.Struct, frozen=True, tag="error"):
    message: str
    line: int
    column: int


_StoredResult = _StoredRule | _StoredNotice | _StoredError
_DECODER = msgspec.msgpack.Decoder(dict[str, list[_StoredResult]])


class RuleCache:
    """The cached results of one set of rule files."""

    def __init__(
        self, paths: Iterable[Path], context: CompileContext, exports: Sequence[str]
    ) -> None:
        """Read the cache of a set; ``exports`` are the texts of exports that rules may refer to."""
        self._context = context
        identity = (
            _code_version(),
            list(context.fields),
            context.fields.fingerprint,
            context.now,
            sorted(context.placeholders.items()),
            exports,
            [str(path) for path in paths],
        )
        self._path = _folder() / f"rules-{content_key(repr(identity))}.bin"
        self._stored: dict[str, list[_StoredResult]] = {}
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):  # none yet, or damaged
            self._stored = _DECODER.decode(_read(self._path))
        self._used: dict[str, list[_StoredResult]] = {}
        self._is_new = False

    def results(
        self, path: Path, text: str, key: str, read: Callable[[], Iterable[ReadResult]]
    ) -> list[ReadResult]:
        """Return the results of a file's text, from the cache or by ``read``.

        ``key`` identifies the text and the other texts that it is read with."""
        stored = self._stored.get(key)
        if stored is not None:
            self._used[key] = stored
            return [self._restored(result, path) for result in stored]
        results = list(read())
        if not any(_reads_files(result, text) for result in results):
            self._is_new = True
            with contextlib.suppress(RecursionError, ValueError, OverflowError, TypeError):
                self._used[key] = [_stored(result) for result in results]
        return results

    def save(self) -> None:
        """Write the results that were used, if any of them is new."""
        if not self._is_new:
            with contextlib.suppress(OSError):
                os.utime(self._path)
            return
        with contextlib.suppress(OSError, ValueError):  # no folder, or invalid Unicode
            content = msgspec.msgpack.encode(self._used)
            if len(content) <= _LONGEST:
                checked = hashlib.sha256(content).digest() + content
                replace_file(self._path, checked, durable=False)  # a lost file is compiled again
                _evict(self._path.parent)

    def _restored(self, stored: _StoredResult, path: Path) -> ReadResult:
        match stored:
            case _StoredError(message, line, column):
                return RuleError(message, line, column)
            case _StoredNotice(title, sentence):
                return RuleNotice(title, sentence)
        table = self._context.fields
        if stored.metadata.type in SIGMA_TYPES:
            table = SIGMA_FIELDS
        options = query_options(stored.nulls, self._context)
        return Rule(
            **msgspec.structs.asdict(stored.metadata),
            flag=stored.flag,
            alerts=stored.alerts,
            nulls=stored.nulls,
            query=restore_query(stored.query, stored.metadata.query_text, table, options),
            path=path,
            fingerprint=stored.fingerprint,
            advice=stored.advice,
        )


def content_key(text: str) -> str:
    """Hash a text to a key of the cache."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HASH_SIZE]


def _stored(result: ReadResult) -> _StoredResult:
    match result:
        case RuleError():
            return _StoredError(result.message, result.line, result.column)
        case RuleNotice(title, sentence):
            return _StoredNotice(title, sentence)
    return _StoredRule(
        _metadata_of(result),
        result.flag,
        result.alerts,
        result.nulls,
        result.fingerprint,
        result.advice,
        store_query(result.query),
    )


def _metadata_of(rule: Rule) -> Metadata:
    return Metadata(**{name: getattr(rule, name) for name in Metadata.__struct_fields__})


def _reads_files(result: ReadResult, text: str) -> bool:
    """Return whether a result depends on the user's lookup tables, which may change."""
    match result:
        case Rule():
            return depends_on_files(result.query)
        case RuleError():
            return _READS_TABLES.search(text) is not None
    return False


def _read(path: Path) -> bytes:
    """Read a file of the cache. Raises OSError, or ValueError if it is damaged."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
            raise PermissionError(path)
        # Ask for no more than the file's size: the buffer is allocated beforehand.
        checked = file.read(min(status.st_size, _LONGEST + _HASH_SIZE) + 1)
    content = checked[_HASH_SIZE:]
    if hashlib.sha256(content).digest() != checked[:_HASH_SIZE]:
        raise ValueError(path)
    return content


def _evict(folder: Path) -> None:
    """Remove the least recently used files."""
    found = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime_ns, status.st_size, path))
    total = 0
    for number, (_, size, path) in enumerate(sorted(found, reverse=True)):
        total += size
        if number >= _MOST_FILES or total > _MOST_BYTES:
            with contextlib.suppress(OSError):
                path.unlink()


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("trailhound")


@cache
def _code_version() -> str:
    """Return a hash of the code that reads rules: its version, and its files' mtimes and sizes.

    Python checks its bytecode files in the same way; hashing all contents would take longer than
    reading the rules. Where all installed files have the same mtime, the version distinguishes
    them."""
    hashed = hashlib.sha256(__version__.encode())
    for package in _PACKAGES:
        for folder, _, names in sorted(os.walk(Path(__file__).parents[1] / package)):
            for name in sorted(names):
                if name.endswith((".py", ".lark")):
                    status = os.stat(os.path.join(folder, name))
                    hashed.update(f"{name} {status.st_mtime_ns} {status.st_size}\n".encode())
    return hashed.hexdigest()
