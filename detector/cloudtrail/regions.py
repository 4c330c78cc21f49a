"""AWS regions: partition, geography, city, and whether they are opt-in.

Partitions, names and cities are those of the AWS SDKs (botocore 1.44, ``partitions.json``),
including some regions that are not open yet. A region launched after 20 March 2019 is off until an
account enables it (AWS Account Management Reference, "Enable or disable AWS Regions in your
account").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec


class Region(msgspec.Struct, frozen=True):
    """A region; ``opt_in``: whether an account must enable it; None: unknown."""

    name: str
    city: str
    geography: str
    partition: str
    opt_in: bool | None


_AMERICAS, _EUROPE, _MIDDLE, _ASIA = "Americas", "Europe", "Mid East & Africa", "Asia Pacific"

_REGIONS_BY_GEOGRAPHY = {
    (
        "aws",
        _AMERICAS,
    ): "us-west-2 Oregon, us-west-1 N. California, us-east-2 Ohio, us-east-1 N. Virginia, "
    "ca-central-1 Montreal, ca-west-1 Calgary, mx-central-1 Mexico, sa-east-1 São Paulo, "
    "sa-west-1 Chile",
    ("aws", _EUROPE): "eu-north-1 Stockholm, eu-west-1 Ireland, eu-west-2 London, eu-west-3 Paris, "
    "eu-central-1 Frankfurt, eu-central-2 Zurich, eu-south-1 Milan, eu-south-2 Spain",
    (
        "aws",
        _MIDDLE,
    ): "il-central-1 Tel Aviv, me-south-1 Bahrain, me-central-1 UAE, me-west-1 Saudi Arabia, "
    "af-south-1 Cape Town",
    (
        "aws",
        _ASIA,
    ): "ap-northeast-1 Tokyo, ap-northeast-3 Osaka, ap-northeast-2 Seoul, ap-east-2 Taipei, "
    "ap-east-1 Hong Kong, ap-south-1 Mumbai, ap-south-2 Hyderabad, ap-southeast-7 Thailand, "
    "ap-southeast-5 Malaysia, ap-southeast-1 Singapore, ap-southeast-3 Jakarta, "
    "ap-southeast-2 Sydney, ap-southeast-4 Melbourne, ap-southeast-6 New Zealand",
    ("aws-cn", "China"): "cn-north-1 Beijing, cn-northwest-1 Ningxia",
    ("aws-us-gov", "GovCloud (US)"): "us-gov-west-1 US-West, us-gov-east-1 US-East",
    ("aws-eusc", "EU sovereign"): "eusc-de-east-1 Germany",
    ("aws-iso", "US ISO"): "us-iso-west-1 West, us-iso-east-1 East",
    ("aws-iso-b", "US ISOB"): "us-isob-west-1 West, us-isob-east-1 Ohio",
    ("aws-iso-e", "EU ISOE"): "eu-isoe-west-1 West",
    ("aws-iso-f", "US ISOF"): "us-isof-east-1 East, us-isof-south-1 South",
}
"""By partition and geography, roughly from north to south and west to east."""

_ON_BY_DEFAULT = frozenset(
    {
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ca-central-1",
        "sa-east-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
    }
)


def _regions() -> Iterator[Region]:
    for (partition, geography), listing in _REGIONS_BY_GEOGRAPHY.items():
        for entry in listing.split(", "):
            name, city = entry.split(" ", 1)
            opt_in = name not in _ON_BY_DEFAULT if partition == "aws" else None
            yield Region(name, city, geography, partition, opt_in)


REGIONS = {region.name: region for region in _regions()}
"""Regions by name, in the order of the region board."""

UNKNOWN_GEOGRAPHY = "not known"
"""The geography of names that are not in the table, such as newer regions."""


def region_of(name: str) -> Region:
    """Look up a region; an unknown name gets an unknown geography."""
    return REGIONS.get(name) or Region(name, "", UNKNOWN_GEOGRAPHY, "", None)


def group_by_geography(names: Iterable[str]) -> dict[str, list[Region]]:
    """Group all regions of the named regions' partitions by geography.

    If no named region is known, the partition is ``aws``. Unknown names come last."""
    named = [region_of(name) for name in names]
    partitions = {region.partition for region in named} - {""} or {"aws"}
    listed = [region for region in REGIONS.values() if region.partition in partitions]
    unknown = sorted(
        (region for region in named if region.geography == UNKNOWN_GEOGRAPHY),
        key=lambda region: region.name,
    )
    groups: dict[str, list[Region]] = {}
    for region in [*listed, *dict.fromkeys(unknown)]:
        groups.setdefault(region.geography, []).append(region)
    return groups
