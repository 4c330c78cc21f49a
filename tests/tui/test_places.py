"""Places are shown next to addresses if a database supplies them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from detector.rules.ruleset import RuleSet, load
from tests.detector.alerts import changed_alert
from tests.detector.ecs.mmdb import write_database
from tests.tui.build import alert
from tui.presentation.format import address_width
from tui.screens.base.alert_facts import alert_facts

LONDON = {"city": {"names": {"en": "London"}}, "country": {"names": {"en": "United Kingdom"}}}


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    path = write_database(tmp_path / "x.mmdb", "GeoLite2-City", {"2.125.160.0/24": LONDON})
    return load(geo=path)


def test_alert_shows_places_beside_addresses(rules: RuleSet) -> None:
    one = alert()
    facets = msgspec.structs.replace(one.facets, source_addresses=["2.125.160.1", "10.0.0.1"])
    shown = str(alert_facts(changed_alert(one, facets=facets), rules))
    assert "2.125.160.1 (London, United Kingdom)" in shown and "10.0.0.1" in shown


def test_columns_of_addresses_have_room_for_places(rules: RuleSet) -> None:
    assert address_width(load()) == 15
    assert address_width(rules) >= len("255.255.255.255 (London, United K")
