"""The cache of compiled rules returns what would be compiled."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import msgspec
import pytest

from detector.esql.lookup.files import LookupSource
from detector.esql.plan.query import Query
from detector.rules import rule_cache, rule_maker
from detector.rules.rule import Rule
from detector.rules.ruleset import RuleSet, load
from tests.detector.esql.conftest import START, record
from tests.detector.rules.rule_scan import write_rule
from tests.detector.sigma.test_files import rule as sigma_rule

FUNCTIONS = {
    "shared_inputs",
    *("layout", "stages", "keys", "inputs", "columns"),
    *("grouping", "orders", "prefilter", "sequence"),
}
FACTS = [each.name for each in fields(Query) if each.name not in FUNCTIONS]
"""What of two queries can be compared."""
QUERIES = {
    "filter.toml": ('event.action: (Describe* or "Run") and not user.name: x', "query", ""),
    "terms.toml": (
        'cloud.region: "us-east-1"',
        "new_terms",
        'new_terms_fields = ["user.name"]\nhistory_window_start = "now-7d"',
    ),
    "threshold.toml": (
        "event.action: DescribeInstances",
        "threshold",
        'threshold = { field = ["user.name"], value = 2 }',
    ),
    "sequence.toml": (
        'sequence by user.name with maxspan=5m [any where event.action == "A"] '
        '[any where event.action like "D*"]',
        "eql",
        "",
    ),
    "window.toml": (
        'from logs-aws.cloudtrail-* | where event.action == "DescribeInstances" and '
        "user.name is not null | stats n = count(*), r = values(cloud.region) "
        "by w = date_trunc(30 seconds, @timestamp), user.name | where n >= 1 | sort n desc",
        "esql",
        "",
    ),
    "suppressed.toml": (
        "event.action: DescribeInstances",
        "query",
        '[rule.alert_suppression]\ngroup_by = ["user.name"]\n'
        'missing_fields_strategy = "doNotSuppress"\n'
        '[trailhound]\nnulls = "intended"\nflag = "a-flag"\nalerts = true',
    ),
}
CORRELATION = """title: Many
correlation:
  type: event_count
  rules: [One]
  group-by: [awsRegion]
  timespan: 5m
  condition: {gte: 2}
  generate: true
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "trailhound"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    for name, (query, type, more) in QUERIES.items():
        path = write_rule(folder, query, type=type, more=more, name=name)
        path.write_text(path.read_text().replace('"r-1"', f'"{name}"'))
    (folder / "s.yml").write_text(sigma_rule("One", "DescribeInstances") + "---\n" + CORRELATION)
    write_rule(folder, "event.action: (", type="query", name="wrong.toml")
    return folder


def kept(rule: Rule) -> dict[str, object]:
    """Return all of a rule that can be compared."""
    parts: dict[str, object] = {
        name: getattr(rule, name) for name in Rule.__struct_fields__ if name != "query"
    }
    parts |= {name: getattr(rule.query, name) for name in FACTS}
    parts["columns"] = list(rule.query.columns)
    prefilter = rule.query.prefilter
    for name, conditions in (("pair", prefilter.pair), ("rest", prefilter.rest)):
        parts[name] = [(each.reads, each.node) for each in conditions]
    return parts


def results(rules: RuleSet) -> list[object]:
    """Return what each rule makes of a few records, and of a group of them."""
    events = [record(), record(eventName="D"), record(userIdentity=None), record(eventName="A")]
    found: list[object] = []
    for rule in rules:
        accepted = [rule.query.prefilter.accepts(event.head()) for event in events]
        rows = [rule.query.rows(event, START) for event in events]
        found.append((rule.rule_id, accepted, rows))
        if rule.query.grouping is not None:
            inputs = [inputs for row in rows for _, inputs in row]
            key = tuple(f"key {name}" for name in rule.query.key_names)
            found.append(rule.query.result(START, key, inputs))
    return found


def test_cached_rules_equal_the_compiled_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = load([folder], mode="sliding")
    monkeypatch.setattr(rule_maker, "make_rule", None)  # nothing is compiled twice
    cached = load([folder], mode="sliding")

    assert [kept(rule) for rule in cached] == [kept(rule) for rule in fresh]
    assert results(cached) == results(fresh)
    assert cached.problems == fresh.problems and len(fresh.problems) == 1
    assert cached.notices == fresh.notices
    assert cached.fingerprint == fresh.fingerprint


def test_query_that_is_not_compiled_yet_can_be_changed(folder: Path) -> None:
    for _ in range(2):
        query = load([folder], builtin=False).get("filter.toml").query
        changed = replace(query, window=5)
        assert (changed.window, changed.shape) == (5, "filter")
        assert changed.rows(record(), START) == query.rows(record(), START)


def test_only_what_has_changed_is_compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load([folder], builtin=False)
    write_rule(folder, "event.action: Other", type="query", name="wrong.toml")
    compiled = []
    make_rule = rule_maker.make_rule
    monkeypatch.setattr(
        rule_maker,
        "make_rule",
        lambda *parts: (compiled.append(parts[3].name), make_rule(*parts))[1],
    )

    assert load([folder], builtin=False).get("r-1").query_text.strip() == "event.action: Other"
    assert compiled == ["wrong.toml"]


def test_another_version_reads_nothing_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files may have the same times and sizes."""
    code_version = rule_cache._code_version.__wrapped__
    this = code_version()
    monkeypatch.setattr(rule_cache, "__version__", "0.1.1")
    assert code_version() != this


def test_rule_of_sigma_follows_what_other_files_say(folder: Path) -> None:
    assert len(list(load([folder], builtin=False))) == len(QUERIES) + 2
    filtering = sigma_rule("Only Ana", "x").replace("detection:", "filter:\n  rules: [One]")
    (folder / "t.yml").write_text(filtering)
    rules = load([folder], builtin=False)
    assert any(notice.notice.title == "Only Ana" for notice in rules.notices)
    (one,) = (rule for rule in rules if rule.name == "One")
    assert "'x'" in one.query.canonical


def test_what_rules_are_compiled_with_counts(folder: Path) -> None:
    fingerprints = {
        load([folder], builtin=False, now=now).get("window.toml").fingerprint for now in (None, 5)
    }
    assert len(fingerprints) == 1  # the query does not call now()
    clock = "from logs-* | where @timestamp > now() - 1 hour | keep event.id"
    path = write_rule(folder, clock, name="now.toml")
    for _ in range(2):
        found = {
            now: load([path], builtin=False, now=now).get("r-1").fingerprint for now in (None, 5, 6)
        }
        assert len(set(found.values())) == 3


def test_tables_of_the_user_are_read_each_time(tmp_path: Path) -> None:
    path = write_rule(
        tmp_path / "rules",
        'from logs-* | enrich owners on cloud.account.id | where team == "red" | keep event.id',
    )
    owners = tmp_path / "owners.csv"
    lookups = {"owners": LookupSource(owners, "account")}
    assert "no such file" in str(load([path], builtin=False, lookups=lookups).problems[0]).lower()
    for team, rows in (("red", 1), ("blue", 0)):
        owners.write_text(f"account,team\n111122223333,{team}\n")
        (rule,) = load([path], builtin=False, lookups=lookups)
        assert len(rule.query.rows(record(), START)) == rows


def test_files_are_private_and_whole(folder: Path, cache: Path) -> None:
    load([folder], builtin=False)
    (path,) = cache.iterdir()  # no temporary file is left
    assert path.stat().st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700


def test_least_used_files_are_removed(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_cache, "_MOST_FILES", 2)
    for age, name in enumerate(["filter.toml", "terms.toml"]):
        load([folder / name], builtin=False)
        for path in cache.iterdir():
            os.utime(path, ns=(age, path.stat().st_mtime_ns - 10**9))
    (oldest,) = sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)[:1]
    load([folder / "filter.toml"], builtin=False)  # used again: the other one goes
    load([folder / "window.toml"], builtin=False)
    assert len(list(cache.iterdir())) == 2
    assert oldest.exists()


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (pytest.fail, ("a cached file was run",))


def damaged(whole: bytes) -> dict[str, bytes]:
    """Return damaged files; the last ones have a right hash."""
    import hashlib

    odd = [msgspec.msgpack.encode({"a": [{"type": "rule"}]}), b"\xc1", msgspec.msgpack.encode([1])]
    return {
        "empty": b"",
        "text": b"no cache",
        "cut": whole[:-5],
        "pickle": pickle.dumps(Bomb()),
        **{str(number): hashlib.sha256(each).digest() + each for number, each in enumerate(odd)},
    }


def test_damaged_file_is_replaced(folder: Path, cache: Path) -> None:
    fresh = [kept(rule) for rule in load([folder], builtin=False)]
    (path,) = cache.iterdir()
    for name, content in damaged(path.read_bytes()).items():
        path.write_bytes(content)
        assert [kept(rule) for rule in load([folder], builtin=False)] == fresh, name
        assert path.read_bytes() != content, name


def test_link_and_pipe_in_the_cache_are_not_read(folder: Path, cache: Path, tmp_path: Path) -> None:
    fresh = [kept(rule) for rule in load([folder], builtin=False)]
    (path,) = cache.iterdir()
    target = tmp_path / "elsewhere"
    target.write_bytes(b"mine")
    path.unlink()
    path.symlink_to(target)
    assert [kept(rule) for rule in load([folder], builtin=False)] == fresh
    assert not path.is_symlink() and target.read_bytes() == b"mine"

    path.unlink()
    os.mkfifo(path)
    assert [kept(rule) for rule in load([folder], builtin=False)] == fresh


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_file_of_another_user_is_not_read(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load([folder], builtin=False)
    (path,) = cache.iterdir()
    os.chown(path, 65534, 65534)
    load([folder], builtin=False)
    assert path.stat().st_uid == 0  # replaced by one of our own


def test_functions_of_eql_are_there_where_rules_come_from_the_cache() -> None:
    """A process that parses no EQL, as where all rules are cached, compiles their conditions."""
    code = (
        "import sys, detector.rules.rule_cache\n"
        "from detector.esql.functions import FUNCTIONS\n"
        "assert 'detector.eql' not in sys.modules\n"
        "assert 'eql.stringContains' in FUNCTIONS"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
