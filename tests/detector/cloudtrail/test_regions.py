"""The table of regions, against the SDK's own where it is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from detector.cloudtrail.regions import REGIONS, UNKNOWN_GEOGRAPHY, group_by_geography
from detector.simulate.organization import REGIONS as ON_BY_DEFAULT


def test_region_table_has_every_region_of_the_sdk() -> None:
    botocore = importlib.util.find_spec("botocore")
    if botocore is None or botocore.origin is None:
        pytest.skip("botocore is not installed")
    partitions = json.loads(
        (Path(botocore.origin).parent / "data" / "partitions.json").read_text(encoding="utf-8")
    )
    named = {
        (name, partition["id"])
        for partition in partitions["partitions"]
        for name in partition["regions"]
        if not name.endswith("-global")
    }
    assert named <= {(region.name, region.partition) for region in REGIONS.values()}


def test_regions_on_by_default_are_not_opt_in() -> None:
    off = {region.name for region in REGIONS.values() if region.opt_in is False}
    assert off == set(ON_BY_DEFAULT)
    assert REGIONS["af-south-1"].opt_in
    assert REGIONS["us-gov-west-1"].opt_in is None


def test_geographies_cover_seen_partitions_and_unknown_regions() -> None:
    assert list(group_by_geography([])) == [
        "Americas",
        "Europe",
        "Mid East & Africa",
        "Asia Pacific",
    ]
    assert list(group_by_geography(["cn-north-1"])) == ["China"]
    assert [region.name for region in group_by_geography(["us-gov-east-1"])["GovCloud (US)"]] == [
        "us-gov-west-1",
        "us-gov-east-1",
    ]
    both = group_by_geography(["cn-north-1", "eu-west-1", "mars-north-1", "", "mars-north-1"])
    assert list(both) == [
        "Americas",
        "Europe",
        "Mid East & Africa",
        "Asia Pacific",
        "China",
        UNKNOWN_GEOGRAPHY,
    ]
    assert [region.name for region in both[UNKNOWN_GEOGRAPHY]] == ["", "mars-north-1"]
