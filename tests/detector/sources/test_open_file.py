"""Files are opened as what they are: small ones as a whole, pipes and folders not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.sources import open_file as opening
from detector.sources.open_file import SmallFile, identity_of, open_file


def identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


@pytest.mark.parametrize(("size", "is_small"), [(0, True), (32 << 10, True), (33 << 10, False)])
def test_small_file_is_read_when_it_is_opened(tmp_path: Path, size: int, is_small: bool) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * size)
    with open_file(str(path)) as file:
        assert isinstance(file, SmallFile) == is_small
        assert identity_of(file) == identity(path)
        path.write_bytes(b"")
        assert len(file.read()) == size * is_small


def test_file_that_grows_while_it_is_opened_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n")
    look = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = look(descriptor)
        path.write_bytes(b"first\nsecond\n")
        return status

    monkeypatch.setattr(opening.os, "fstat", fstat)
    with open_file(str(path)) as file:
        assert file.read() == b"first\nsecond\n"
        assert identity_of(file) == identity(path)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError, match="no file any more"):
        open_file(str(tmp_path / "pipe"))
    with pytest.raises(IsADirectoryError):
        open_file(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        open_file(str(tmp_path / "none"))
    assert len(os.listdir("/dev/fd")) == before
