"""Start-up: imports and the command line, compared with bare Python."""

from __future__ import annotations

from pathlib import Path

from benchmarks.process import PYTHON, TRAILHOUND, measure
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_BARE, _IMPORT, _VERSION = "python -c pass", "python -c 'import detector'", "trailhound --version"


def startup(scale: Scale, folder: Path) -> Report:
    """Import of the core and start of the command line."""
    commands = {
        _BARE: [PYTHON, "-c", "pass"],
        _IMPORT: [PYTHON, "-c", "import detector"],
        "python -c 'import detector.ingest.pipeline'": [
            PYTHON,
            "-c",
            "import detector.ingest.pipeline",
        ],
        _VERSION: [*TRAILHOUND, "--version"],
        "trailhound rules list": [*TRAILHOUND, "rules", "list"],
    }
    measure(commands, 1, folder / "home")  # warm-up: compiles the byte code
    measured = measure(commands, 3 * scale.rounds, folder / "home")
    rows = [
        ("", "time", "to bare Python"),
        *(
            (name, f"{it.seconds * 1e3:.0f} ms", f"{it.time_ratio(measured[_BARE]):.1f}×")
            for name, it in measured.items()
        ),
    ]
    remarks = ["A scan starts with what rules list does: importing the core, compiling the rules."]
    return Report(
        "Start-up",
        rows,
        remarks,
        [
            at_most("import detector", 60, measured[_IMPORT].seconds * 1e3, "{:.0f} ms"),
            at_most("trailhound --version", 120, measured[_VERSION].seconds * 1e3, "{:.0f} ms"),
        ],
    )
