"""Boundaries of what the baseline calls enough, new and used."""

from __future__ import annotations

import ipaddress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.detection.baseline import (
    ENOUGH_HISTORY,
    NEW_PRINCIPAL_AGE,
    Baseline,
    RegionHistory,
    first_seen,
    is_new,
    network_of,
)
from tests.detector.detection.test_correlate import DAY, act, one, swept
from tests.detector.trail import START

AT = START
"""The start of a window."""


@pytest.mark.parametrize(
    ("since", "enough"),
    [
        (AT - ENOUGH_HISTORY - 1, True),
        (AT - ENOUGH_HISTORY, True),
        (AT - ENOUGH_HISTORY + 1, False),
        (AT, False),
        (AT + 1, False),
        (None, False),
    ],
)
def test_ten_days_of_history_are_enough(since: int | None, enough: bool) -> None:
    baseline = Baseline(since=since, principal_first=AT)
    assert baseline.has_enough_history(AT) is enough
    assert (first_seen(baseline, AT)[0] is None) is not enough


@pytest.mark.parametrize(
    ("first", "new"),
    [
        (AT - NEW_PRINCIPAL_AGE - 1, False),
        (AT - NEW_PRINCIPAL_AGE, False),
        (AT - NEW_PRINCIPAL_AGE + 1, True),
        (AT, True),
        (AT + 5, True),
    ],
)
def test_principal_first_seen_a_day_before_is_known(first: int, new: bool) -> None:
    assert is_new(first, AT) is new
    baseline = Baseline(since=AT - ENOUGH_HISTORY, principal_first=first)
    assert first_seen(baseline, AT)[0] is new


@pytest.mark.parametrize(
    ("firsts", "newest"),
    [((5, 9), 9), ((9, 5), 9), ((None, 5), 5), ((5, None), 5), ((None, None), None)],
)
def test_newest_of_principal_and_key_counts(
    firsts: tuple[int | None, int | None], newest: int | None
) -> None:
    assert Baseline(principal_first=firsts[0], key_first=firsts[1]).newest_first() == newest


@pytest.mark.parametrize(
    ("seen", "changed", "label"),
    [
        (AT - 1, AT - 1, "used"),
        (AT - 1, AT, "unusual"),
        (AT - 1, AT + 1, "unusual"),
        (AT - 1, None, "unusual"),
        (AT, AT, "new"),
        (None, None, "new"),
    ],
)
def test_region_is_used_only_by_what_came_before(
    seen: int | None, changed: int | None, label: str
) -> None:
    assert RegionHistory(seen, changed).label(AT) == label


# of an alert, from records


def flags(folder: Path, *before: dict[str, Any]) -> set[str]:
    """Return the baseline's flags of a sweep by ana at START."""
    found: Alert = one(folder, [*before, *swept("ana", 0)])
    return {flag.flag for flag in found.flags} & {"first-seen-principal", "unused-region"}


old = partial(act, "nothing", "bo")


def test_history_of_exactly_ten_days_flags_what_is_new(tmp_path: Path) -> None:
    assert flags(tmp_path / "short", old(-10 * DAY + 1)) == set()
    assert flags(tmp_path / "enough", old(-10 * DAY)) == {"first-seen-principal", "unused-region"}


def test_principal_seen_exactly_a_day_before_is_not_flagged(tmp_path: Path) -> None:
    known = act("nothing", "ana", -DAY, "eu-west-1")
    young = act("nothing", "ana", -DAY + 1, "eu-west-1")
    assert flags(tmp_path / "known", old(-11 * DAY), known) == {"unused-region"}
    assert flags(tmp_path / "young", old(-11 * DAY), young) == {
        "first-seen-principal",
        "unused-region",
    }


def test_new_long_term_key_of_known_user_is_flagged(tmp_path: Path) -> None:
    """The user is known for eleven days by another key; of both the newer one counts."""
    known = act("nothing", "ana's other key", -11 * DAY)
    assert flags(tmp_path / "new", known) == {"first-seen-principal", "unused-region"}
    assert flags(tmp_path / "old", known, act("nothing", "ana", -10 * DAY)) == {"unused-region"}


def test_known_key_of_renamed_user_is_flagged(tmp_path: Path) -> None:
    """The key is known for eleven days under another ARN."""
    renamed = act("nothing", "ana", -11 * DAY)
    renamed["userIdentity"] = {**renamed["userIdentity"], "arn": "arn:aws:iam::1:user/old"}
    assert flags(tmp_path, renamed) == {"first-seen-principal", "unused-region"}


def test_newest_of_several_keys_counts(tmp_path: Path) -> None:
    """One sweep by two keys of a user, of which one is new."""
    known = act("nothing", "ana", -11 * DAY)
    young = act("caller-identity", "ana's other key", -60)
    by_both = [*swept("ana", 0, 5), *swept("ana's other key", 3, 10)[5:]]
    found = one(tmp_path, [known, young, *by_both])
    assert found.baseline is not None
    assert found.baseline.key_first == START - 60
    assert "first-seen-principal" in {flag.flag for flag in found.flags}


@pytest.mark.parametrize(("second", "is_unused"), [(-1, False), (0, True)])
def test_region_changed_as_the_window_begins_was_not_used_before(
    second: int, is_unused: bool, tmp_path: Path
) -> None:
    changed = act("nothing", "bo", second, "us-east-1")
    found = one(tmp_path, [old(-11 * DAY, "me-south-1"), changed, *swept("ana", 0, 13)])
    assert found.baseline is not None
    assert ("us-east-1" in found.baseline.unused_regions) is is_unused


def _network_by_ipaddress(address: str) -> str | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    prefix = 24 if ip.version == 4 else 48
    return str(ipaddress.ip_network((ip, prefix), strict=False))


@given(
    st.ip_addresses().map(str)
    | st.lists(st.sampled_from(["0", "1", "01", "255", "256", ""]), max_size=5).map(".".join)
    | st.lists(st.sampled_from(["", "0", "00", "1", "ffFF", "12345", "1.2.3.4"]), max_size=9).map(
        ":".join
    )
    | st.text("0123456789abcF:.%", max_size=20)
)
def test_network_is_that_of_ipaddress(address: str) -> None:
    assert network_of(address) == _network_by_ipaddress(address)
