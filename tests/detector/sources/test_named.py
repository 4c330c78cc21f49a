"""Names on the command line become sources."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from detector.ingest.pipeline import Pipeline
from detector.sources.open import open_sources
from detector.sources.source import NoSource
from detector.store import Store
from tests.detector.formats import forms
from tests.detector.trail import builtin_rules
from tui.commandline.main import main

RECORDS = forms.sweep()
IDS = sorted(record["eventID"] for record in RECORDS)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for index, record in enumerate(RECORDS):
        path = tmp_path / f"logs/{index % 3}/{index}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(forms.document([record])))
    return tmp_path


def scanned(capsys: pytest.CaptureFixture[str], *args: str) -> list[list[str]]:
    assert main(["scan", "--format", "jsonl", *args]) == 0
    return reference(capsys.readouterr().out)


def reference(out: str) -> list[list[str]]:
    """Return the events of each alert of the reference rule."""
    alerts = map(json.loads, out.splitlines())
    return [
        alert["event_ids"]
        for alert in alerts
        if alert["rule"]["id"] == "393ef120-63d1-11ef-8e38-f661ea17fbce"
    ]


def test_open_sources_takes_patterns_lists_and_several(
    parts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(parts)
    assert scanned(capsys, "logs/**/*.gz") == [IDS]
    assert scanned(capsys, "logs/0", "logs/1", str(parts / "logs/2/2.json.gz"), "logs/2") == [IDS]
    (parts / "list").write_text("logs/0\n# not this\n\nlogs/1\nlogs/2/*.json.gz\n")
    assert scanned(capsys, "file@list") == [IDS]


class Pipe(io.StringIO):
    """Standard input from a pipe that holds ``data``."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._read, write = os.pipe()
        threading.Thread(target=self._feed, args=(write, data), daemon=True).start()

    @staticmethod
    def _feed(write: int, data: bytes) -> None:
        with open(write, "wb") as file:
            file.write(data)

    def fileno(self) -> int:
        return self._read

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("form", ["trail file", "JSON Lines", "lookup-events"])
def test_standard_input_is_read(
    form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for data in (forms.forms(RECORDS)[form], gzip.compress(forms.forms(RECORDS)[form])):
        monkeypatch.setattr(sys, "stdin", Pipe(data))
        assert scanned(capsys, "-") == [IDS]


def test_standard_input_is_read_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(forms.lines(RECORDS)))
    source = open_sources(["-"], live=True)
    store = Store.open(None)
    Pipeline(store, builtin_rules(), source, jobs=1).run(
        threading.Event(), lambda _: None
    )  # ends with its input
    assert IDS in [alert.event_ids for alert in store.alerts.all()]
    source.close()
    store.close()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-such", "no such file or folder"),
        ("no-such/*.gz", "no such file or folder"),
        ("file@no-such", "No such file"),
        ("s3://", "write s3://BUCKET/PREFIX"),
    ],
)
def test_wrong_name_is_one_line(name: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", name]) == 1
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_terminal_is_refused_as_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Pipe(b"")
    monkeypatch.setattr(pipe, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", pipe)
    with pytest.raises(NoSource, match="terminal"):
        open_sources(["-"], live=False)


def test_bounds_exclude_by_name_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "hunt.db")
    logs = tmp_path / "logs"
    logs.mkdir()

    def name(label: str) -> Path:
        return logs / f"111122223333_CloudTrail_us-east-1_{label}_{'a' * 16}.json.gz"

    name("20260301T1135Z").write_bytes(gzip.compress(forms.document(RECORDS)))
    for label in ("20250101T0000Z", "20260301T0900Z", "20260303T0000Z"):
        name(label).write_bytes(b"never opened")
    bounds = ["--since", "2026-03-01T11:00:00Z", "--until", "2026-03-01T12:00:00Z"]
    assert main(["scan", str(logs), "--format", "jsonl", *bounds, "--db", state]) == 0
    out, err = capsys.readouterr()
    assert reference(out) == [IDS]
    assert "out-of-range 3" in err
    # What was read stays read, whatever the bounds are now.
    assert (
        main(["scan", str(logs), "--format", "jsonl", "--since", "2026-05-01", "--db", state]) == 0
    )
    assert "= 1 read" in capsys.readouterr().err
    # Without the bounds, what they had skipped is read.
    assert main(["scan", str(logs), "--format", "jsonl", "--db", state]) == 0
    assert "not-json 3" in capsys.readouterr().err
