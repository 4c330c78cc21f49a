"""``trailhound scan`` without what is found around alerts: no baseline is learned, no signals are searched for."""

from __future__ import annotations

import sys

import detector.partial
from detector.pipeline import Pipeline
from tui.cli import main

detector.partial.collect = lambda heads, into: None
Pipeline._correlate = lambda self, stop: None  # type: ignore[method-assign]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
