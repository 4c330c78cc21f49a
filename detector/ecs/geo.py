"""Looks up the locations of addresses in the user's City or Country database (.mmdb).

Fields and values match those of Elasticsearch's GeoIP processor, with names in English. Only
``name`` is trailhound's: ECS leaves its content to the user.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from detector.ecs.address_database import AddressDatabase, AddressDatabaseError

_KINDS = ("city", "country", "enterprise", "location")
"""A database holds locations if its type contains one of these words."""


class Place(NamedTuple):
    """The location of an address; fields that the database lacks are None.

    ``location`` is well-known text, as ES|QL shows points: longitude, then latitude. ``name`` is
    the city and country for display."""

    city_name: str | None = None
    country_iso_code: str | None = None
    country_name: str | None = None
    continent_name: str | None = None
    region_iso_code: str | None = None
    region_name: str | None = None
    timezone: str | None = None
    location: str | None = None
    name: str | None = None


class GeoLookup:
    """Looks up addresses in one database.

    It is pickled as its path, so that each process opens the file itself."""

    def __init__(self, path: Path) -> None:
        database = AddressDatabase(path, "a City or Country database")
        if not any(word in database.type.lower() for word in _KINDS):
            raise AddressDatabaseError(
                f"{path}: holds {database.type}, which tells no places; "
                "use a GeoLite2-City, GeoLite2-Country, DB-IP or IPinfo location database"
            )
        self.path = path
        self.fingerprint = database.fingerprint
        self._database = database
        read = _ipinfo_place if "ipinfo" in database.type.lower() else _maxmind_place
        self._read: Callable[[dict[str, Any]], Place] = read
        self.lookup: Callable[[str | None], Place] = lru_cache(1 << 16)(self._lookup)

    def __reduce__(self) -> tuple[Any, ...]:
        return GeoLookup, (self.path,)

    def _lookup(self, address: str | None) -> Place:
        """Return the place of a public address; all None for any other text."""
        place = self._read(self._database.entry(address))
        parts = (place.city_name, place.country_name or place.country_iso_code)
        return place._replace(name=", ".join(part for part in parts if part) or None)


def open_geo(path: Path) -> GeoLookup:
    """Open a City or Country database. Raises AddressDatabaseError."""
    return GeoLookup(path)


def _maxmind_place(entry: dict[str, Any]) -> Place:
    """Read an entry in the nested format of MaxMind and DB-IP."""
    country = _member(entry, "country")
    subdivisions = entry.get("subdivisions")
    region: dict[str, Any] = {}
    if isinstance(subdivisions, list) and subdivisions and isinstance(subdivisions[0], dict):
        region = subdivisions[0]
    location = _member(entry, "location")
    country_code, region_code = _text(country.get("iso_code")), _text(region.get("iso_code"))
    return Place(
        city_name=_english(_member(entry, "city")),
        country_iso_code=country_code,
        country_name=_english(country),
        continent_name=_english(_member(entry, "continent")),
        region_iso_code=f"{country_code}-{region_code}" if country_code and region_code else None,
        region_name=_english(region),
        timezone=_text(location.get("time_zone")),
        location=_point(location.get("latitude"), location.get("longitude")),
    )


def _ipinfo_place(entry: dict[str, Any]) -> Place:
    """Read an entry in IPinfo's flat format."""
    country = _text(entry.get("country"))
    code = _text(entry.get("country_code"))
    if code is None and country and len(country) == 2:
        code, country = country, _text(entry.get("country_name"))
    return Place(
        city_name=_text(entry.get("city")),
        country_iso_code=code,
        country_name=country,
        continent_name=_text(entry.get("continent_name")) or _text(entry.get("continent")),
        region_name=_text(entry.get("region")),
        timezone=_text(entry.get("timezone")),
        location=_point(_number(entry.get("lat")), _number(entry.get("lng"))),
    )


def _member(entry: dict[str, Any], name: str) -> dict[str, Any]:
    value = entry.get(name)
    if not isinstance(value, dict):
        return {}
    return value


def _english(entry: dict[str, Any]) -> str | None:
    return _text(_member(entry, "names").get("en"))


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return value


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _point(latitude: Any, longitude: Any) -> str | None:
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    return f"POINT ({longitude} {latitude})"
