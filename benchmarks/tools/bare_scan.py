"""``trailhound scan`` without what is found around alerts: no baseline is learned, it is not noted who is where, and no
signals are searched for."""

from __future__ import annotations

import sys

import detector.partial
from detector.pipeline import Pipeline
from tui.cli import main

detector.partial.collect = lambda *_: None
detector.partial.marks = lambda *_: {}
Pipeline._correlate = lambda *_: None  # type: ignore[method-assign]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
