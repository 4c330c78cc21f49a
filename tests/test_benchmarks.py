"""Benchmarks: known corpora and equal answers; nothing is timed."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import corpus as corpus_module
from benchmarks.corpus import (
    Corpus,
    Plan,
    cached,
    trail_document,
    write_lines,
    write_storm,
    write_sweeps,
    write_trail,
)
from benchmarks.day import day_files, files_of, records_of
from benchmarks.engine import Disagreement, alerts_found, check_accounting
from benchmarks.organization import USUAL, CommandLine, records
from benchmarks.process import PYTHON, Failed, Measured, Run, apart, measure, run
from benchmarks.report import Report, at_least, at_most
from benchmarks.scale import QUICK
from tests.test_invictus import DATA

PLAN = Plan(periods=1, accounts=2, per_file=6)
_CALL = (
    "userIdentity",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "readOnly",
    "recipientAccountId",
    "eventCategory",
)


def _files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def _records(corpus: Corpus) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for name, data in _files(corpus.root).items():
        if name.endswith(".gz"):
            records += json.loads(gzip.decompress(data))["Records"]
        else:
            records += map(json.loads, data.splitlines())
    return records


def test_plan_decides_content(tmp_path: Path) -> None:
    first, second = write_trail(tmp_path / "1", PLAN), write_trail(tmp_path / "2", PLAN)

    assert _files(first.root) == _files(second.root)
    assert (first.files, first.records, first.alerts) == (2 * 15, 2 * 15 * 6, 1)


def test_cached_corpus_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "corpora_folder", lambda: tmp_path)
    first = cached(write_trail, PLAN)
    marker = first.root / "kept"
    marker.touch()

    assert cached(write_trail, PLAN) == first
    assert marker.exists()
    assert cached(write_trail, PLAN.times(2)).root != first.root
    monkeypatch.setattr(corpus_module, "_generator", lambda: "changed")
    assert cached(write_trail, PLAN).root != first.root


def test_trail_files_and_lines_hold_same_records(tmp_path: Path) -> None:
    trail, lines = write_trail(tmp_path / "trail", PLAN), write_lines(tmp_path / "lines", PLAN)
    by_id = [
        {record["eventID"]: record for record in _records(corpus)} for corpus in (trail, lines)
    ]

    assert by_id[0] == by_id[1]
    assert len(by_id[0]) == trail.records == lines.records
    times = [record["eventTime"] for record in _records(lines)]
    assert times == sorted(times)


def test_corpus_tells_its_size(tmp_path: Path) -> None:
    corpus = write_trail(tmp_path / "trail", PLAN)

    assert corpus.stored == sum(map(len, _files(corpus.root).values()))
    assert corpus.json == sum(len(gzip.decompress(data)) for data in _files(corpus.root).values())


@pytest.mark.parametrize(
    "tool", [("benchmarks.tools.gzip_json",), ("tui", "scan", "--format", "jsonl")]
)
def test_tools_find_planted_alerts(tool: tuple[str, ...], tmp_path: Path) -> None:
    corpora = [
        write_sweeps(tmp_path / "logs" / "sweeps", 3, first=100),
        write_storm(tmp_path / "logs" / "storm", 5),
        # one sweep, and one that is a region short
        write_trail(tmp_path / "logs" / "trail", PLAN),
    ]

    found = run([PYTHON, "-m", *tool, str(tmp_path / "logs")], tmp_path)

    assert alerts_found(found) == sum(corpus.alerts for corpus in corpora) == 3 + 5 + 1


def test_cardinality_is_that_of_real_trail_files() -> None:
    if not DATA.is_dir():
        pytest.skip(f"no folder {DATA}: TRAILHOUND_DATA names the one that holds invictus-ir")
    real = [_calls(path.read_bytes()) for path in DATA.glob("*.json")]
    # what a file of this size has, by real files of its order of magnitude
    for least, most in ((10, 50), (50, 150), (150, 400)):
        shares = [calls / count for count, calls in real if least <= count < most]
        share = _share(USUAL, int((least * most) ** 0.5))
        assert min(shares) <= share <= max(shares), (least, most)
    assert sum(calls for _, calls in real) / sum(count for count, _ in real) > 0.5


@pytest.mark.parametrize(
    "people", [USUAL, CommandLine(0.75), CommandLine(0.75, "Boto3")], ids=lambda it: str(it[:])
)
def test_quarter_to_half_of_a_file_are_distinct_calls(people: CommandLine) -> None:
    assert 0.25 <= _share(people, 2_500) <= 0.5


def test_three_quarters_are_hits_unless_by_another_program(tmp_path: Path) -> None:
    counts = []
    for program in ("aws-cli", "Boto3"):
        plan = replace(PLAN, people=CommandLine(0.75, program))
        corpus = write_trail(tmp_path / program, replace(plan, per_file=60, accounts=1))
        hits = [
            record
            for record in _records(corpus)
            if record["userAgent"].startswith("aws-cli")
            and record["eventName"].startswith(("Describe", "Get", "List"))
        ]
        counts.append(len(hits) / corpus.records)

    assert counts[0] == pytest.approx(0.75, abs=0.06)
    assert counts[1] < 0.05  # those of the sweeps


def test_sessions_are_thousands_and_have_their_own_keys(tmp_path: Path) -> None:
    corpus = write_trail(tmp_path / "trail", Plan(periods=1, accounts=1, per_file=2_500))
    sessions = {
        (who["arn"], who["accessKeyId"])
        for who in (record["userIdentity"] for record in _records(corpus))
        if who["type"] == "AssumedRole"
    }

    assert len(sessions) > 2_000
    assert len({arn for arn, _ in sessions}) == len(sessions) == len({key for _, key in sessions})


def _calls(content: bytes) -> tuple[int, int]:
    """Return how many records and distinct calls a trail file holds.

    A call is what a record says but for time, ids, parameters and response.
    """
    records = json.loads(content)["Records"]
    calls = {json.dumps([record.get(name) for name in _CALL], sort_keys=True) for record in records}
    return len(records), len(calls)


def _share(people: CommandLine, count: int) -> float:
    """Return distinct calls a record, of ``count`` generated records."""
    made = records(Random(str(count)), "111122223333", "us-east-1", 0, count, people)
    size, calls = _calls(trail_document(record for _, record in made))
    assert size == count
    return calls / size


def test_records_that_were_lost_are_noticed(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, lines=False, files=1, records=1_200, json=1, stored=1, alerts=0)
    said = "records 1,200 seen = {} kept + 0 duplicate + 0 skipped + 1 (not-json 1) rejected"

    check_accounting(_run(said.format("1,200")), corpus)
    with pytest.raises(Disagreement, match="1,199 kept"):
        check_accounting(_run(said.format("1,199")), corpus)


def test_a_process_is_measured_with_its_children(tmp_path: Path) -> None:
    # It stays for some samples: what is exact does not count where this process itself has ever
    # been larger.
    child = (
        "import sys, time; held = bytearray(50 << 20); time.sleep(0.5); print('child'); "
        "sys.stderr.write('said')"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    found = apart(run, [PYTHON, "-c", parent], tmp_path)

    assert found.output == ("child",)
    assert found.narration == "said"
    assert found.rss > 50 << 20


def test_a_process_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="status 3: no such log"):
        run(
            [PYTHON, "-c", "import sys; print('no such log', file=sys.stderr); sys.exit(3)"],
            tmp_path,
        )


def test_commands_are_run_round_by_round(tmp_path: Path) -> None:
    note = "import sys; open('{}', 'a').write(sys.argv[1])".format(tmp_path / "order")
    found = measure({name: [PYTHON, "-c", note, name] for name in "ab"}, 2, tmp_path)

    assert (tmp_path / "order").read_text() == "abba"
    assert [len(it.runs) for it in found.values()] == [2, 2]


def test_a_ratio_compares_runs_of_the_same_round() -> None:
    tool = Measured(tuple(_run(user=seconds) for seconds in (1.0, 3.0, 3.0)))
    twice = Measured(tuple(_run(user=seconds) for seconds in (2.0, 6.0, 6.0)))

    assert twice.ratio(tool) == twice.time_ratio(tool) == 2
    assert twice.user > tool.user


def _run(narration: str = "", user: float = 1.0) -> Run:
    return Run(user, user, 0.0, user, 1, (), narration)


def test_a_benchmark_that_fails_costs_itself_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Report:
        raise Disagreement("12 alerts where 11 were planted")

    def sound(*_: object) -> Report:
        return Report(
            "Sound",
            [("", "time"), ("tool", "1 s")],
            ["A remark."],
            [at_least("speed", 3.5, 4, "{:.1f}×"), at_most("memory", 1.25, 1.3)],
        )

    monkeypatch.setattr(command, "BENCHMARKS", {"broken": broken, "sound": sound})
    status = command.run(["broken", "sound"], QUICK)

    printed = capsys.readouterr()
    assert status == 1
    assert "broken: Disagreement: 12 alerts" in printed.err
    assert "Sound" in printed.out
    assert "| speed |  | 4.0× | ≥ 3.5× | kept |" in printed.out
    assert "| memory |  | 1.30× | ≤ 1.25× | missed |" in printed.out


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--quick", "larg"])

    assert stopped.value.code == 2
    assert "no benchmark larg: choose from startup, ordinary" in capsys.readouterr().err


def test_a_day_is_what_its_plan_says_and_has_a_sweep_in_every_five_minutes() -> None:
    plan = Plan(periods=3, accounts=2, per_file=6)
    files = dict(day_files(plan))

    assert len(files) == files_of(plan) == 3 * (2 * 15 + 1)
    assert sum(len(json.loads(document)["Records"]) for document in files.values()) == records_of(
        plan
    )
    assert [path.name.endswith("sweep.json.gz") for path in files] == 3 * [*[False] * 30, True]
