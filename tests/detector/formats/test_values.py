"""NaN and Infinity are no value, and zeros in a growing log are blank."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detector.cloudtrail.record import decode
from detector.store import Store
from tests.detector.formats.sweeps import RECORDS, expected, lines, read
from tests.detector.trail import outcome, scan

OK = [record for record in RECORDS if "errorCode" not in record]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "names",
    [
        ("errorCode",),
        ("errorCode", "errorMessage"),
        ("userAgent", "sourceIPAddress"),
        ("sharedEventID", "vpcEndpointId", "apiVersion"),
        ("readOnly", "managementEvent"),
        ("requestParameters", "responseElements"),
        ("eventCategory", "eventType"),
        ("requestID",),
    ],
    ids=" ".join,
)
def test_nan_is_absent(names: tuple[str, ...], value: float) -> None:
    records = [{**record, **dict.fromkeys(names, value)} for record in OK]
    for data in (lines(records), json.dumps(records).encode(), json.dumps({"x": records}).encode()):
        assert read(data) == expected(OK)
    record = decode(json.dumps(records[0]).encode())
    for name in names:
        found = getattr(record, _attribute(name))
        assert found is None or bytes(found) == b"null"


def _attribute(name: str) -> str:
    spelled = name.replace("IPA", "IpA").replace("ID", "Id")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in spelled)


def test_nan_is_no_failed_call(tmp_path: Path) -> None:
    records: list[Any] = [
        {**r, "errorCode": float("nan"), "errorMessage": float("nan")} for r in OK
    ]
    (tmp_path / "log").write_text(json.dumps(records))
    (alert,) = scan(tmp_path).alerts
    assert (alert.facets.denied, len(alert.event_ids)) == (0, 11)


@pytest.mark.parametrize("hole", [1, 4096, 1 << 20, (1 << 20) + 7, 20 << 20])
def test_hole_in_a_growing_log_is_blank(hole: int, tmp_path: Path) -> None:
    """A log that is truncated while its writer goes on begins with a hole."""
    log = tmp_path / "logs" / "live.jsonl"
    log.parent.mkdir()
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        log.write_bytes(lines(RECORDS[:3]))
        scan(log.parent, store=store)
        log.write_bytes(bytes(hole) + lines(RECORDS[3:6]))
        scan(log.parent, store=store)
        with log.open("ab") as file:
            file.write(bytes(hole) + lines(RECORDS[6:9]) + bytes(hole))
        scan(log.parent, store=store)
        with log.open("ab") as file:
            file.write(lines(RECORDS[9:]))
        (alert,) = scan(log.parent, store=store).alerts
        assert sorted(alert.event_ids) == sorted(record["eventID"] for record in RECORDS)
        assert not outcome(store).accounting.records_rejected
