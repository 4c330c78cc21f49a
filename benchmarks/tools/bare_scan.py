"""``trailhound scan`` without what is found around alerts: no baseline is learned, it is not noted who is where, and no
signals are searched for."""

from __future__ import annotations

import sys

import detector.detection.digest
from detector.ingest.pipeline import Pipeline
from tui.commandline.main import main

detector.detection.digest.collect = lambda *_: None
detector.detection.digest.marks = lambda *_: {}
Pipeline._correlate = lambda *_: None  # type: ignore[method-assign]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
