"""The reference rule with isal and orjson, without garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import orjson
from isal import igzip

from benchmarks.tools.answer import files, print_alerts


def records() -> Iterator[dict[str, Any]]:
    for path in files():
        if path.suffix == ".gz":
            with igzip.open(path, "rb") as file:  # type: ignore[no-untyped-call]
                yield from orjson.loads(file.read())["Records"]
        else:
            with open(path, "rb") as file:
                yield from map(orjson.loads, file)


if __name__ == "__main__":
    gc.disable()
    print_alerts(records())
