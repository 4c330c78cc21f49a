"""A growing tree of logs.

Files come whole or in pieces, lines are appended, logs rotate, late records come. The final tree
depends on the seed alone, however slowly or often interrupted it was read meanwhile.
"""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.detector.trail import ACCOUNT, REGIONS, Raw, call, document, lines, stamp

PEOPLE = [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("ana", "ben", "cat", "dan", "eve")]
_AFTER = (
    ("GetCallerIdentity", "sts"),
    ("CreateAccessKey", "iam"),
    ("ModifySnapshotAttribute", "ec2"),
    ("DescribeVolumes", "ec2"),
)
_MINUTES = 300


class Tree:
    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self._chance = random.Random(seed)
        self._written = 0
        self._rotated = 0
        self._unfinished: list[Callable[[], object]] = []
        """What completes the files that have been begun."""
        root.mkdir(parents=True, exist_ok=True)

    def grow(self) -> None:
        """Change one thing in the tree."""
        if self._unfinished and self._chance.random() < 0.5:
            self._unfinished.pop(0)()
        else:
            kinds = (
                self._whole,
                self._whole,
                self._in_place,
                self._append,
                self._append,
                self._copy,
                self._rotate,
            )
            self._chance.choice(kinds)()

    def complete(self) -> None:
        """Complete the files that have been begun."""
        while self._unfinished:
            self._unfinished.pop(0)()

    def _records(self) -> list[Raw]:
        """Return the records of a sweep, half of one, or other calls.

        The other half of a sweep may come any time later.
        """
        who, seconds = self._chance.choice(PEOPLE), self._chance.randrange(_MINUTES) * 60
        kind = self._chance.random()
        if kind < 0.4:
            return [
                call(seconds, region, arn=who) for region in REGIONS[: self._chance.randint(8, 14)]
            ]
        if kind < 0.7:
            half = slice(0, 6) if self._chance.random() < 0.5 else slice(6, 12)
            return [call(seconds, region, arn=who) for region in REGIONS[half]]
        return [
            call(
                seconds + 30 * index,
                arn=who,
                eventName=name,
                eventSource=f"{service}.amazonaws.com",
                event_id=f"{name}-{who}-{seconds}",
                readOnly=name.startswith(("Get", "Describe")),
            )
            for index, (name, service) in enumerate(_AFTER)
        ]

    def _next(self, kind: str) -> Path:
        self._written += 1
        label = stamp(self._written % _MINUTES * 60).replace(":", "").replace("-", "")[:13] + "Z"
        return self.root / f"{ACCOUNT}_CloudTrail_us-east-1_{label}_{self._written:016d}.json{kind}"

    def _whole(self) -> None:
        path = self._next(".gz")
        part = path.with_name(path.name + ".part")
        part.write_bytes(gzip.compress(document(self._records()), 1, mtime=0))
        part.rename(path)

    def _in_place(self) -> None:
        path, content = self._next(""), document(self._records())
        cut = self._chance.randrange(len(content))
        path.write_bytes(content[:cut])
        self._unfinished.append(lambda: _append(path, content[cut:]))

    def _append(self) -> None:
        content = lines(self._records())
        cut = self._chance.randrange(len(content))
        log = self.root / "events.jsonl"
        self.complete()  # a line that is not ended would be spoilt
        _append(log, content[:cut])
        self._unfinished.append(lambda: _append(log, content[cut:]))

    def _rotate(self) -> None:
        self.complete()
        log = self.root / "events.jsonl"
        if log.exists():
            self._rotated += 1
            log.rename(self.root / f"events-{self._rotated}.jsonl")

    def _copy(self) -> None:
        files = sorted(self.root.glob("*.json.gz"))
        if files:
            shutil.copy(self._chance.choice(files), self._next(".copy.gz"))


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def growing(tree: Tree, pauses: Iterator[float]) -> Iterator[float]:
    """Yield the seconds to wait before each change."""
    for pause in pauses:
        yield pause
        tree.grow()
