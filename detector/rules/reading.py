"""Reads rule files of all formats."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from detector.rules.kibana.export import EXPORT_SUFFIXES, Exports, collect_exports
from detector.rules.rule import CompileContext
from detector.rules.rule_cache import ReadResult, RuleCache, content_key
from detector.rules.rule_file import RuleError, read_file_text

SIGMA_SUFFIXES = (".yml", ".yaml")
RULE_SUFFIXES = (".toml", *EXPORT_SUFFIXES, *SIGMA_SUFFIXES)
"""The suffixes of rule files that are looked for in directories."""


def read_rule_files(
    paths: Sequence[Path], context: CompileContext
) -> Iterator[tuple[Path, ReadResult]]:
    """Yield the results of these files, in their order; files may refer to each other."""
    texts: dict[Path, str] = {}
    results: dict[Path, list[ReadResult]] = {}
    for path in paths:
        try:
            texts[path] = read_file_text(path)
        except RuleError as error:
            results[path] = [error]
    exports = collect_exports(texts)
    context = msgspec.structs.replace(context, export=exports.collected)
    cache = RuleCache(paths, context, exports.texts)
    sigma = {path: text for path, text in texts.items() if path.suffix in SIGMA_SUFFIXES}
    results.update(_read_sigma(sigma, context, cache))
    for path, text in texts.items():
        if path in sigma:
            continue
        key = content_key(f"{path.suffix}\0{text}")
        read = partial(_read_afresh, path, text, context, exports)
        results[path] = cache.results(path, text, key, read)
    cache.save()
    for path in paths:
        yield from ((path, result) for result in results[path])


def read_rule_text(
    path: Path, text: str, context: CompileContext, beside: Sequence[Path]
) -> Iterator[ReadResult]:
    """Yield the rules of a file with this text, and an error for each that cannot be used.

    ``beside`` are the other rule files, to which it may refer."""
    texts = {path: text}
    for other in beside:
        if other != path and other.suffix in (*SIGMA_SUFFIXES, *EXPORT_SUFFIXES):
            with contextlib.suppress(RuleError):  # already a problem of the rule set
                texts[other] = read_file_text(other)
    exports = collect_exports(texts)
    context = msgspec.structs.replace(context, export=exports.collected)
    if path.suffix not in SIGMA_SUFFIXES:
        yield from _read_afresh(path, text, context, exports)
    else:
        from detector.rules.sigma_rules import read_sigma_files  # PyYAML is not for everyone

        sigma = {each: text for each, text in texts.items() if each.suffix in SIGMA_SUFFIXES}
        yield from (result for each, result in read_sigma_files(sigma, context) if each == path)


def _read_afresh(
    path: Path, text: str, context: CompileContext, exports: Exports
) -> Iterator[ReadResult]:
    """Read the rules of a file that is not in the cache.

    The compiler is only imported here, as most scans find all rules in the cache."""
    if path in exports.files:
        from detector.rules.exported_rules import read_export

        yield from read_export(exports.files[path], path, context)
    else:
        from detector.rules.rule_maker import read_toml

        yield from read_toml(text, path, context)


def _read_sigma(
    texts: Mapping[Path, str], context: CompileContext, cache: RuleCache
) -> dict[Path, list[ReadResult]]:
    """Read Sigma files. They may refer to each other, so if one has changed, all are read again."""
    if not texts:
        return {}
    from detector.rules.sigma_rules import read_sigma_files  # PyYAML is not for everyone

    read: dict[Path, list[ReadResult]] = {}

    def results_of(path: Path) -> list[ReadResult]:
        if not read:
            read.update({each: [] for each in texts})
            for each, result in read_sigma_files(texts, context):
                read[each].append(result)
        return read[path]

    whole = content_key("\0".join(texts.values()))
    return {
        path: cache.results(path, text, f"{whole}-{number}", partial(results_of, path))
        for number, (path, text) in enumerate(texts.items())
    }
