"""What it costs to find out what is around alerts: flags, baseline and risk, over the reference rule alone."""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import write_lines, write_trail
from benchmarks.process import PYTHON, TRAILHOUND, apart, measure
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_BUILTIN = Path(__file__).parents[1] / "detector" / "rules" / "builtin"
_REFERENCE = _BUILTIN / "discovery_ec2_multi_region_describe_instances.toml"
_BARE = Path(__file__).parent / "tools" / "bare_scan.py"


def investigation(scale: Scale, folder: Path) -> Report:
    """The cost of the investigation over that of the reference rule alone."""
    corpora = {
        "large files": apart(write_trail, folder / "large", scale.large),
        "small files": apart(write_trail, folder / "small", scale.small),
        "JSON Lines": apart(write_lines, folder / "lines", scale.lines),
    }
    rows = [("", "alerts", "reference alone", "with everything", "ratio")]
    budgets = []
    for kind, corpus in corpora.items():
        scan = [
            "scan",
            str(corpus.root),
            "--jobs",
            "1",
            "--format",
            "jsonl",
            "--no-builtin",
            "--rules",
            str(_REFERENCE),
        ]
        found = measure(
            {
                "alone": [PYTHON, str(_BARE), *scan],
                "all": [*TRAILHOUND, *scan, "--rules", str(_BUILTIN / "flags")],
            },
            scale.rounds,
            folder / "home",
        )
        # Of CPU time: the work is the same, whatever else the machine does meanwhile.
        ratio = found["all"].cpu / found["alone"].cpu
        rows.append(
            (
                kind,
                f"{corpus.alerts:,}",
                f"{found['alone'].cpu:.2f} s",
                f"{found['all'].cpu:.2f} s",
                f"{ratio:.2f}×",
            )
        )
        budgets.append(
            at_most(f"{kind}: flags, baseline and risk against the rule alone", 1.5, ratio)
        )
    return Report(
        "The investigation (seconds of CPU)",
        rows,
        budgets=budgets,
        remarks=[
            "Compiling the flag rules is in it, a constant that weighs on small corpora only (--quick)."
        ],
    )
