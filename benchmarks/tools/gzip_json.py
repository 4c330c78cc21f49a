"""The reference rule with the standard library's gzip and json."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from benchmarks.tools.answer import files, print_alerts


def records() -> Iterator[dict[str, Any]]:
    for path in files():
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as file:
                yield from json.load(file)["Records"]
        else:
            with open(path, "rb") as file:
                yield from map(json.loads, file)


if __name__ == "__main__":
    print_alerts(records())
