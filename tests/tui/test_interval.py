"""How long an analyst may hide something."""

from __future__ import annotations

import pytest

from tests.tui.build import START
from tui.model.expiry import parse_expiry


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("8h", 8 * 3600),
        (" 7D ", 7 * 86_400),
        ("2w", 14 * 86_400),
        ("90m", 5400),
        ("2026-03-02", 14 * 3600),
        ("2026-03-01 10:30", 1800),
        ("2026-03-01T10:30:01Z", 1801),
    ],
)
def test_valid_expiry_is_parsed(typed: str, seconds: int) -> None:
    assert parse_expiry(typed, START) == START + seconds


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("", "Enter a duration"),
        ("soon", "Enter a duration"),
        ("0d", "Enter a duration"),
        ("-1d", "Enter a duration"),
        ("2026-03-01 09:59", "in the future"),
        ("2026-13-01", "Invalid time"),
        ("400d", "At most one year"),
        ("99999w", "At most one year"),
    ],
)
def test_invalid_expiry_is_refused(typed: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_expiry(typed, START)
