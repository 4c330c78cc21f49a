"""Places of addresses, from City and Country databases."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from detector.ecs.address_database import AddressDatabaseError
from detector.ecs.fields import field_table
from detector.ecs.geo import GeoLookup, Place, open_geo
from tests.detector.ecs.mmdb import write_database
from tests.detector.esql.conftest import record

LONDON: dict[str, Any] = {
    "city": {"names": {"de": "London", "en": "London"}},
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}},
    "location": {"latitude": 51.5142, "longitude": -0.0931, "time_zone": "Europe/London"},
    "subdivisions": [
        {"iso_code": "ENG", "names": {"en": "England"}},
        {"iso_code": "LND", "names": {"en": "Greater London"}},
    ],
}
CITY = {
    "2.125.160.0/24": LONDON,
    "2001:218::/32": {"country": {"iso_code": "JP", "names": {"en": "Japan"}}},
    "81.2.69.0/24": {"city": {"names": {"en": "Somewhere"}}, "location": {"latitude": 1.5}},
}


@pytest.fixture
def city(tmp_path: Path) -> GeoLookup:
    return open_geo(write_database(tmp_path / "city.mmdb", "GeoLite2-City", CITY))


@pytest.mark.parametrize(
    "address, expected",
    [
        (
            "2.125.160.216",
            Place(
                "London",
                "GB",
                "United Kingdom",
                "Europe",
                "GB-ENG",
                "England",
                "Europe/London",
                "POINT (-0.0931 51.5142)",
                "London, United Kingdom",
            ),
        ),
        ("2001:218::1", Place(country_iso_code="JP", country_name="Japan", name="Japan")),
        ("81.2.69.7", Place(city_name="Somewhere", name="Somewhere")),
        ("8.8.8.8", Place()),
        ("10.0.0.1", Place()),
        ("ec2.amazonaws.com", Place()),
        (None, Place()),
    ],
)
def test_fields_are_those_of_the_geoip_processor(city, address, expected):
    table, call = field_table(geo=city), record(sourceIPAddress=address)
    assert Place(*(table[f"source.geo.{name}"].read(call) for name in Place._fields)) == expected
    assert city.lookup(address) == expected


def test_country_database_tells_the_country(tmp_path):
    entry = {"continent": LONDON["continent"], "country": LONDON["country"]}
    path = write_database(tmp_path / "x.mmdb", "DBIP-Country-Lite", {"2.125.160.0/24": entry})
    place = open_geo(path).lookup("2.125.160.1")
    assert (place.country_iso_code, place.city_name, place.name) == ("GB", None, "United Kingdom")


def test_ipinfo_database_has_its_own_names(tmp_path):
    entry = {
        "city": "London",
        "region": "England",
        "country": "GB",
        "country_name": "United Kingdom",
        "continent_name": "Europe",
        "lat": "51.5",
        "lng": "-0.1",
        "timezone": "Europe/London",
    }
    path = write_database(
        tmp_path / "x.mmdb", "ipinfo standard_location", {"2.125.160.0/24": entry}
    )
    place = open_geo(path).lookup("2.125.160.1")
    assert place.name == "London, United Kingdom"
    assert (place.country_iso_code, place.region_name, place.region_iso_code) == (
        "GB",
        "England",
        None,
    )
    assert place.location == "POINT (-0.1 51.5)"


def test_damaged_entries_are_unknown(tmp_path):
    entries = {
        "2.125.160.0/24": {"city": "x", "country": ["y"], "subdivisions": ["z"], "location": "w"},
        "2.125.161.0/24": {"city": {"names": ["a"]}, "country": {"iso_code": 7}},
    }
    geo = open_geo(write_database(tmp_path / "x.mmdb", "GeoLite2-City", entries))
    assert geo.lookup("2.125.160.1") == geo.lookup("2.125.161.1") == Place()


def test_geo_lookup_pickles_as_its_path(city):
    again = pickle.loads(pickle.dumps(city))
    assert again.lookup("2.125.160.1") == city.lookup("2.125.160.1")
    assert again.fingerprint == city.fingerprint == "GeoLite2-City:1770000000"


def test_database_that_tells_no_places_is_refused_in_one_line(tmp_path):
    asn = write_database(tmp_path / "asn.mmdb", "GeoLite2-ASN", {"2.125.160.0/24": {}})
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"not a database")
    for path, words in ((asn, "tells no places"), (broken, "name a City or Country database")):
        with pytest.raises(AddressDatabaseError) as caught:
            open_geo(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value) and words in str(caught.value)


def test_rule_set_adds_places_to_addresses(tmp_path, city):
    from detector.rules.ruleset import load

    rules = load(geo=city.path)
    assert rules.with_place("2.125.160.1") == "2.125.160.1 (London, United Kingdom)"
    assert rules.with_place("10.0.0.1") == "10.0.0.1"
    assert rules.reloaded().without(["x"]).with_place("2001:218::1") == "2001:218::1 (Japan)"
    assert load().with_place("2.125.160.1") == "2.125.160.1"
    assert load().fingerprint != rules.fingerprint
