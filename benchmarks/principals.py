"""Principals and events: the index's cost in CPU and bytes, and ten queries."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.corpus import Corpus, cached, write_trail
from benchmarks.engine import scan
from benchmarks.pivots import ask
from benchmarks.process import TRAILHOUND, apart, run
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_TABLES = ("principal", "principal_day", "activity_value", "session_opening", "activity_pending")

_ROUNDS = 3


def principals(scale: Scale, folder: Path) -> Report:
    """Measure the activity of principals, and events by filters that name something.

    The questions are asked of the corpus that pivots are measured on.
    """
    ordinary = apart(cached, write_trail, scale.ordinary)
    home, state = folder / "home", folder / "hunt.db"
    share = _index_share(ordinary, folder)
    corpus = apart(write_trail, folder / "trail", scale.pivot)
    run(scan(corpus.root, "--db", str(state)), home)
    size, days = _state_bytes(state)
    per_thousand = size / corpus.files * 1e3
    rows = [
        ("", "first row", "all", "rows", "read"),
        (
            f"the index: share of the CPU of a scan of {ordinary.records:,} records",
            f"{share:.1%}",
            f"{per_thousand / 1e6:.3f} MB for 1,000 files",
            f"{days:,}",
            f"{size / max(1, days):,.0f} bytes a principal-day",
        ),
    ]
    budgets = [at_most("principals: share of a scan's CPU", 0.05, share, "{:.1%}")]
    for question in _questions(state, home):
        command = [*TRAILHOUND, "events", "--db", str(state), "--format", "jsonl"]
        asked = ask([*command, "--filter", question], home)  # once: the answer may be everything
        rows.append(
            (
                question[:60],
                f"{asked.first:.2f} s, {asked.first_cpu:.2f} s CPU",
                f"{asked.all:.2f} s",
                f"{asked.rows:,}",
                asked.said.partition(" in ")[2],
            )
        )
        title = f"events: CPU to the first row of {question[:40]}"
        budgets.append(at_most(title, 2, asked.first_cpu, "{:.2f} s"))
    return Report(f"Principals and events, {corpus}", rows, budgets=budgets)


def _index_share(corpus: Corpus, folder: Path) -> float:
    """Return the share of a scan's CPU time spent on the activity of principals."""
    state = folder / "ordinary.db"
    whole = []
    for _ in range(_ROUNDS):
        whole.append(run(scan(corpus.root, "--db", str(state)), folder / "home").cpu)
        state.unlink()
    return float(apart(_index_seconds, corpus.root)) / min(whole)


def _index_seconds(root: Path) -> float:
    """Return the CPU seconds of counting the activity in a trail's chunks and summing it up.

    Counting is the extra time of a digest with activity; each time is the minimum of several
    rounds."""
    from detector.detection.activity.chunk import activity_of

    without, counting, adding = [], [], []
    for _ in range(_ROUNDS):
        without.append(_digesting(root, False)[0])
        seconds, counted = _digesting(root, True)
        counting.append(seconds)
        begun = time.process_time()
        activity_of(counted)
        adding.append(time.process_time() - begun)
    return min(counting) - min(without) + min(adding)


def _digesting(root: Path, counts_activity: bool) -> tuple[float, list[bytes]]:
    """Digest a trail without rules; return the CPU seconds and each chunk's activity."""
    from detector.detection.digest import digest
    from detector.detection.signature_cache import SignatureCache
    from detector.formats import read_chunks
    from detector.rules.dispatch import Dispatch

    counted: list[bytes] = []
    cache, dispatch = SignatureCache(), Dispatch(())
    begun = time.process_time()
    for path in sorted(root.rglob("*.json*")):
        with path.open("rb") as file:
            for chunk in read_chunks(file):
                partial, _ = digest(str(path), chunk, dispatch, cache, counts_activity)
                counted += [stats.activity for stats in partial.chunks.values()]
    return time.process_time() - begun, counted


def _state_bytes(path: Path) -> tuple[int, int]:
    """Return the bytes of the tables with their indexes, and the number of principal-days."""
    with closing(sqlite3.connect(path)) as db:
        size = db.execute(
            "SELECT sum(d.pgsize) FROM dbstat AS d JOIN sqlite_schema AS t ON t.name = d.name "
            f"WHERE t.tbl_name IN ({', '.join('?' * len(_TABLES))})",
            _TABLES,
        ).fetchone()[0]
        days = db.execute("SELECT count(*) FROM principal_day").fetchone()[0]
    return int(size), int(days)


def _questions(state: Path, home: Path) -> Sequence[str]:
    """Return ten filters over the state's content."""
    listed = run([*TRAILHOUND, "principals", "--db", str(state), "--format", "jsonl"], home).output
    rows = [json.loads(line) for line in listed]
    roles = sorted(
        (row for row in rows if row["kind"] == "role"),
        key=lambda row: (row["calls"], row["principal"]),
    )
    users = [row for row in rows if row["access_keys"]]
    fewest, most = roles[0], roles[-1]
    networks = [network for row in roles for network in row["networks"] if "/" in network]
    service = sorted(row["principal"] for row in rows if row["kind"] == "service")
    return (
        f"principal:{fewest['principal'].rpartition('/')[2]}/",
        f"principal:{most['principal'].rpartition('/')[2]}/",
        f"principal={users[0]['principal']}",
        f"key={users[-1]['access_keys'][0]}",
        f"source:{networks[0]}",
        f"account={fewest['accounts_called'][0]}",
        f"region:{fewest['regions'][0]}",
        f"service:{fewest['services'][0]}",
        f"call:{fewest['api_calls'][0].partition(':')[2]}",
        f"source={service[0]}",
    )
