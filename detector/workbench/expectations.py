"""Examples next to a rule file: records on which the rule must or must not fire.

The examples of ``NAME.toml`` are in ``NAME.examples.jsonl``: one object per line, with ``name``,
``fires`` and ``records``, and ``rule_id`` if the file has several rules.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import msgspec

from detector.cloudtrail.record import decode
from detector.rules.rule import Rule
from detector.rules.ruleset import EXAMPLES_SUFFIX, RuleSet
from detector.sources.directory import Directory
from detector.text.json_output import json_line
from detector.text.time import parse_time
from detector.text.visible import visible
from detector.workbench.bench import LogScan


class ExamplesError(Exception):
    """Examples that cannot be read; the message is one line with the file and line number."""


class _Example(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    fires: bool
    records: list[dict[str, Any]]
    rule_id: str = ""


class Outcome(NamedTuple):
    """The result of an example: whether the rule was expected to fire, and whether it fired."""

    rule: Rule
    path: Path
    line: int
    name: str
    expected: bool
    fired: bool

    @property
    def passed(self) -> bool:
        return self.expected == self.fired

    @property
    def sentence(self) -> str:
        """The expectation that a failed example did not meet."""
        return "must fire, and does not" if self.expected else "must not fire, and does"


def examples_path(rule: Rule) -> Path:
    """Return the path of the examples of a rule's file."""
    return rule.path.with_name(rule.path.stem + EXAMPLES_SUFFIX)


def run_examples(rules: RuleSet) -> Iterator[Outcome]:
    """Run the examples of all rules' files that have some. Raises ExamplesError."""
    by_file: dict[Path, list[Rule]] = {}
    for rule in rules:
        by_file.setdefault(examples_path(rule), []).append(rule)
    for path, of_file in by_file.items():
        if path.exists():
            yield from _run_file(rules, path, of_file)


def _run_file(rules: RuleSet, path: Path, of_file: Sequence[Rule]) -> Iterator[Outcome]:
    for line, example in _read(path):
        rule = _rule_of(example, of_file)
        if rule is None:
            raise ExamplesError(f"{path}:{line}: rule_id must name a rule of the file beside it")
        fired = _fires(rules, rule, example.records)
        yield Outcome(rule, path, line, example.name, example.fires, fired)


def _read(path: Path) -> Iterator[tuple[int, _Example]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ExamplesError(f"{path}: {reason}") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line, type=_Example)
            except msgspec.DecodeError as error:
                raise ExamplesError(f"{path}:{number}: {visible(str(error), 200)}") from None


def _rule_of(example: _Example, of_file: Sequence[Rule]) -> Rule | None:
    if not example.rule_id and len(of_file) == 1:
        return of_file[0]
    return next((rule for rule in of_file if rule.rule_id == example.rule_id), None)


def _fires(rules: RuleSet, rule: Rule, records: Sequence[dict[str, Any]]) -> bool:
    """Tell whether a rule gives an alert on records; a rule that only flags, whether it matches."""
    lines = [json_line(record) for record in records]
    if not rule.alerts:
        return any(
            rule.query.accepts(decode(line.encode()), parse_time(record.get("eventTime")) or 0)
            for line, record in zip(lines, records, strict=True)
        )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "records.json").write_text(json.dumps({"Records": list(records)}))
        scan = LogScan(lambda: Directory([Path(folder)]), lambda _: None, jobs=1)
        return bool(scan.held(rules, rule).firings(rule))


def junit(outcomes: Sequence[Outcome]) -> str:
    """Format outcomes as JUnit XML for CI systems."""
    failures = sum(not each.passed for each in outcomes)
    suite = ElementTree.Element(
        "testsuite", name="trailhound rules", tests=str(len(outcomes)), failures=str(failures)
    )
    for each in outcomes:
        case = ElementTree.SubElement(
            suite, "testcase", classname=visible(each.rule.name), name=visible(each.name)
        )
        if not each.passed:
            place = visible(f"{each.path}:{each.line}")
            ElementTree.SubElement(case, "failure", message=each.sentence).text = place
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
