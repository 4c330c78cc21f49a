"""Members of archives that cannot be read are named, and cost themselves only."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.detector.formats import forms
from tests.detector.trail import document, scan, sweep

GOOD = document(sweep(10))
CUT = gzip.compress(GOOD)[:-20]
PACKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": forms.zipped,
    "tar": forms.tarred,
    "tar.gz": lambda members: gzip.compress(forms.tarred(members)),
    "zip in tar": lambda members: forms.tarred({"in.zip": forms.zipped(members)}),
}


def nested(levels: int, pack: Callable[[dict[str, bytes]], bytes]) -> bytes:
    data = GOOD
    for _ in range(levels):
        data = pack({"x": data})
    return data


@pytest.mark.parametrize("packer", PACKERS)
def test_unread_members_are_named(packer: str, tmp_path: Path) -> None:
    members = {"cut.gz": CUT, "good.json": GOOD, "deep.zip": nested(8, forms.zipped)}
    (tmp_path / "logs").write_bytes(PACKERS[packer](members))
    run = scan(tmp_path)
    sums = run.accounting
    assert (sums.files_read, len(run.alerts)) == (1, 1)
    assert sums.records_rejected == {"truncated-gzip": 1, "nested-too-deep": 1}
    (problem,) = run.problems
    assert problem.startswith(f"rejected: {tmp_path / 'logs'}: members not read: ")
    assert "cut.gz: " in problem and "deep.zip/x" in problem and "good.json" not in problem


@pytest.mark.parametrize("packer", ["zip", "tar"])
@pytest.mark.parametrize("levels", [4, 5, 6, 8, 12])
def test_archive_is_read_to_its_depth_or_quarantined(
    packer: str, levels: int, tmp_path: Path
) -> None:
    (tmp_path / "logs").write_bytes(nested(levels, PACKERS[packer]))
    run = scan(tmp_path)
    if levels <= 5:
        assert (run.problems, len(run.alerts)) == ([], 1)
        return
    assert run.accounting.files_quarantined == {"nested-too-deep": 1}
    assert "over 5 containers in each other" in run.problems[0]


def test_archive_of_damaged_members_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(forms.zipped({f"{n}.gz": CUT for n in range(9)}))
    run = scan(tmp_path)
    assert run.accounting.files_quarantined == {"truncated-gzip": 1}
    assert run.problems == [
        f"quarantined: {tmp_path / 'a.zip'}: "
        + "".join(f"{n}.gz: the gzip data ends too early; " for n in range(3))
        + "and 6 more"
    ]


def test_archive_without_logs_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(forms.zipped({"a.txt": b"text", "b.png": b"\x89PNG"}))
    run = scan(tmp_path)
    assert (run.problems, run.accounting.files_read) == ([], 1)
    assert run.accounting.records_skipped == {"not-json": 2}


def test_huge_name_of_a_member_is_cut(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(forms.zipped({"x" * 60_000: CUT, "good.json": GOOD}))
    (problem,) = scan(tmp_path).problems
    assert len(problem) < 700
