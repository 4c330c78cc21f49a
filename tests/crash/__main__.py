"""The crash harness: kill one state over and over.

Run by ``python -m tests.crash [--rounds 200] [--seed 1]``.

The pipeline reads a growing tree in a child process, which is killed at a random moment or dies at
a commit point, while three colleagues decide in processes of their own; then an analyst decides
something, and a new child resumes with the same state.
Nothing is cleaned up in between. In the end alerts, signals, baseline, risk and accounting must be
those of one undisturbed run over the tree as it is then; every acknowledged note must be there,
once; the history must have every decision, each made on what the one before it left; and the state
must be sound.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import traceback
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import detector.rules
from detector.detection.alert import Status
from detector.rules.ruleset import load
from detector.store import Store, find_damage
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.crash.child import KINDS, Death, live, migrated
from tests.crash.decider import decide_until_told, differences, read_told
from tests.crash.tree import PEOPLE, Tree
from tests.detector.trail import REFERENCE_FILE, outcome, scan

_FLAGS = Path(detector.rules.__file__).with_name("builtin") / "flags"
_COLLEAGUES = 3
_STEPS = 600
"""Statements and readings of chunks that a child lives for at the most."""
_SIGNALS_OF = 300
"""Alerts whose signals are compared one by one."""


class Harness:
    def __init__(self, folder: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        self._tree = Tree(folder / "logs", seed)
        self._db = folder / "hunt.db"
        self._acknowledged = folder / "acknowledged"
        self._acknowledged.touch()
        self._told = folder / "told"
        self._told.touch()
        self._rules = load([REFERENCE_FILE, _FLAGS], builtin=False)
        self._migrations = 0
        self._notes: list[str] = []
        self._suppressions: dict[str, tuple[float, bool]] = {}
        self.deaths: Counter[str] = Counter()

    def round(self, number: int) -> None:
        """Let a child read the growing tree and die; then decide."""
        death = self._death()
        colleagues = [self._start_colleague(index, number) for index in range(_COLLEAGUES)]
        steps, told_steps = os.pipe()
        child = os.fork()
        if not child:
            os.close(steps)
            self._live(death, str(number), told_steps)
        os.close(told_steps)
        dies = death.by not in ("moment", "compaction")
        dead = self._watch(steps, _STEPS if dies else self._chance.randint(1, _STEPS))
        if not dead:
            os.kill(child, signal.SIGKILL)
        os.close(steps)
        _, status = os.waitpid(child, 0)
        for colleague in colleagues:
            os.kill(colleague, signal.SIGTERM)
        if any(os.waitpid(colleague, 0)[1] for colleague in colleagues):
            raise SystemExit(f"a colleague failed in life {number} ({death.by})")
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"life {number} ({death.by}) ended by itself")
        self.deaths[death.by if dead or death.by == "compaction" else "moment"] += 1
        self._decide(str(number))

    def _watch(self, steps: int, most: int) -> bool:
        """Let the tree grow until the child has taken so many steps; tell whether it died before.

        How long that takes is up to the machine: the child tells of each step in a pipe."""
        taken, next_growth = 0, 1
        while taken < most:
            ready, _, _ = select.select([steps], [], [], self._chance.random() * 0.06)
            if ready:
                told = os.read(steps, 1 << 12)
                if not told:
                    return True
                taken += len(told)
            if taken >= next_growth or (taken and not ready):
                self._tree.grow()
                next_growth = taken + _STEPS // 20
        return False

    def finish(self) -> list[str]:
        """Read the rest undisturbed, and return a line per difference."""
        self._tree.complete()
        with closing(Store.open(self._db)) as store, closing(Store.open(None)) as fresh:
            ran = scan(self._tree.root, store=store, by=self._rules)
            undisturbed = scan(self._tree.root, store=fresh, by=self._rules)
            notes = Counter(note.body.text for note in store.triage.notes())
            told_notes, decisions = read_told(self._told)
            texts = [*self._acknowledged.read_text().split(), *self._notes, *told_notes]
            compared = {
                "alerts": (_facts(ran.alerts), _facts(undisturbed.alerts)),
                "accounting": (ran.accounting, undisturbed.accounting),
                "baseline and hits": (store.rules.counts(), fresh.rules.counts()),
                "signals": (_signals(store), _signals(fresh)),
                "notes lost": ([text for text in texts if not notes[text]], []),
                "notes doubled": ([text for text, count in notes.items() if count > 1], []),
                "notes of no alert": (
                    {note.alert_id for note in store.triage.notes()}
                    - {alert.alert_id for alert in ran.alerts},
                    set(),
                ),
                **differences(store, decisions),
                "suppressions": (
                    {
                        made.suppression_id: (made.expires, made.lifted is not None)
                        for made in store.suppressions.all()
                    },
                    self._suppressions,
                ),
                "damage": (find_damage(self._db), []),
            }
            self.read = (
                len(ran.alerts),
                ran.accounting.files_read,
                ran.accounting.records_seen,
                notes.total(),
            )
            assert outcome(store).accounting == ran.accounting
        return [
            f"{what}: {actual} instead of {expected}"
            for what, (actual, expected) in compared.items()
            if actual != expected
        ]

    def _death(self) -> Death:
        by = self._chance.choice(KINDS)
        if by == "migration":
            self._migrations += self._chance.randrange(2)
            return Death(by, self._chance.randint(1, 5), self._chance.random() < 0.5)
        most = {"statement": 400, "begin": 12, "commit": 12, "decode": 10}.get(by, 0)
        return Death(by, int(most ** self._chance.random()), self._chance.random() < 0.5)

    def _live(self, death: Death, life: str, steps: int) -> None:
        """Run the child; never return."""
        try:
            migrated(self._migrations)
            live(self._db, self._tree.root, self._rules, death, self._acknowledged, life, steps)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def _start_colleague(self, index: int, life: int) -> int:
        """Fork a process that decides until SIGTERM; return its id."""
        seed = self._chance.randrange(1 << 30)
        # A short life may be over before the colleague listens for the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        process = os.fork()
        if process:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            return process
        try:
            migrated(self._migrations)
            decide_until_told(self._db, f"colleague-{index}", seed, self._told)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _decide(self, text: str) -> None:
        """Let the analyst do one thing, with the state to themselves."""
        migrated(self._migrations)
        with closing(Store.open(self._db)) as store:
            alerts = store.alerts.all()
            if not alerts:
                return
            alert = self._chance.choice(alerts)
            match self._chance.randrange(4):
                case 0:
                    status: Status = self._chance.choice(("open", "acknowledged", "closed"))
                    store.triage.set_status([alert.alert_id], status)
                case 1:
                    [note] = store.triage.add_notes([alert], NoteBody("first"))
                    store.triage.edit_note(note.note_id, NoteBody(text))
                    self._notes.append(text)
                case 2:
                    wanted = Suppression(
                        "principal", self._chance.choice(PEOPLE), None, 0, 4e9, "T-1", "", ""
                    )
                    self._suppressions[store.triage.suppress([wanted])[0].suppression_id] = (
                        4e9,
                        False,
                    )
                case 3 if self._suppressions:
                    name = self._chance.choice(sorted(self._suppressions))
                    store.triage.lift([name])
                    self._suppressions[name] = (self._suppressions[name][0], True)


def _signals(store: Store) -> dict[str, dict[str, list[bytes]]]:
    """Return the identities of the signals of alerts, by flag.

    Each alert looks at all events near it, so those of many would take the square of their number;
    the flags of all are compared with the alerts."""
    ids = sorted(alert.alert_id for alert in store.alerts.all())[:_SIGNALS_OF]
    return {
        alert_id: {
            flag: sorted(event.identity for event in events)
            for flag, events in store.context.signals(alert_id).items()
        }
        for alert_id in ids
    }


def _facts(alerts: list[Any]) -> list[Any]:
    """Return what follows from the records alone."""
    untold = ("revision", "supersedes", "state", "status", "suppressed_by", "broke_through")
    return [
        (
            {name: value for name, value in alert.as_json().items() if name not in untold},
            alert.baseline,
        )
        for alert in alerts
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        harness = Harness(Path(folder), args.seed)
        for number in range(args.rounds):
            harness.round(number)
        wrong = harness.finish()
        alerts, files, records, notes = harness.read
    deaths = ", ".join(f"{count} {by}" for by, count in sorted(harness.deaths.items()))
    print(f"{args.rounds} lives: {deaths}")
    print(f"{alerts} alerts, {files} files, {records} records, {notes} notes")
    print("\n".join(wrong) or "as if undisturbed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
