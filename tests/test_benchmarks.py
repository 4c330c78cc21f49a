"""Benchmarks: known corpora and equal answers; nothing is timed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.corpus import Corpus, Plan, write_lines, write_sweeps, write_trail
from benchmarks.day import day_files, files_of, records_of
from benchmarks.process import PYTHON, Failed, Measured, Run, apart, measure, run
from benchmarks.report import Report, at_least, at_most
from benchmarks.rule import NEEDED
from benchmarks.scale import QUICK
from benchmarks.throughput import Disagreement, alerts_found, check_accounting

PLAN = Plan(periods=1, accounts=2, per_file=6)


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


def test_the_same_plan_writes_the_same_files(tmp_path: Path) -> None:
    first, second = write_trail(tmp_path / "1", PLAN), write_trail(tmp_path / "2", PLAN)

    assert _files(first.root) == _files(second.root)
    assert (first.files, first.records, first.alerts) == (2 * 17, 2 * 17 * 6, 1)


def test_lines_and_trail_files_hold_the_same_records(tmp_path: Path) -> None:
    trail, lines = write_trail(tmp_path / "trail", PLAN), write_lines(tmp_path / "lines", PLAN)
    by_id = [
        {record["eventID"]: record for record in _records(corpus)} for corpus in (trail, lines)
    ]

    assert by_id[0] == by_id[1]
    assert len(by_id[0]) == trail.records == lines.records


def test_what_is_said_of_a_corpus_is_so(tmp_path: Path) -> None:
    corpus = write_trail(tmp_path / "trail", PLAN)

    assert corpus.stored == sum(map(len, _files(corpus.root).values()))
    assert corpus.json == sum(len(gzip.decompress(data)) for data in _files(corpus.root).values())


@pytest.mark.parametrize(
    "tool", [("benchmarks.tools.gzip_json",), ("tui", "scan", "--format", "jsonl")]
)
def test_the_planted_alerts_are_what_is_found(tool: tuple[str, ...], tmp_path: Path) -> None:
    corpus = write_sweeps(tmp_path / "sweeps", 3, first=100)
    near = write_trail(
        tmp_path / "sweeps" / "trail", PLAN
    )  # one sweep, and one that is a region short

    found = run([PYTHON, "-m", *tool, str(corpus.root)], tmp_path)

    assert alerts_found(found) == corpus.alerts + near.alerts == 4


def test_records_that_were_lost_are_noticed(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, lines=False, files=1, records=1_200, json=1, stored=1, alerts=0)
    said = "records 1,200 seen = {} kept + 0 duplicate + 0 skipped + 1 (not-json 1) rejected"

    check_accounting(Run(1, 1, 1, (), said.format("1,200")), corpus)
    with pytest.raises(Disagreement, match="1,199 kept"):
        check_accounting(Run(1, 1, 1, (), said.format("1,199")), corpus)


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
    calm, slowed = Run(1.0, 1, 1, (), ""), Run(3.0, 1, 1, (), "")
    tool, twice = (
        Measured((calm, slowed, slowed)),
        Measured((Run(2.0, 1, 1, (), ""), Run(6.0, 1, 1, (), ""), Run(6.0, 1, 1, (), ""))),
    )

    assert twice.ratio(tool) == 2
    assert NEEDED / twice.seconds < NEEDED / tool.seconds


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
    assert [
        line.split()[-1]
        for line in printed.out.splitlines()
        if line.startswith(("speed", "memory"))
    ] == ["ok", "missed"]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--quick", "larg"])

    assert stopped.value.code == 2
    assert "no benchmark larg: choose from startup, large" in capsys.readouterr().err


def test_a_day_is_what_its_plan_says_and_has_a_sweep_in_every_five_minutes() -> None:
    plan = Plan(periods=3, accounts=2, per_file=6)
    files = dict(day_files(plan))

    assert len(files) == files_of(plan) == 3 * (2 * 17 + 1)
    assert sum(len(json.loads(document)["Records"]) for document in files.values()) == records_of(
        plan
    )
    assert [path.name.endswith("sweep.json.gz") for path in files] == 3 * [*[False] * 34, True]
