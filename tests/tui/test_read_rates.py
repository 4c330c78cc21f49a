"""How fast a source is, told from looks at how much it has brought."""

from __future__ import annotations

from detector.store import Volume
from tui.screens.admin.read_rates import Rate, Rates


def test_the_rate_of_the_last_minute() -> None:
    rates = Rates()

    def look(now: float, records: int) -> None:
        rates.look([Volume("a", 1, 100 * records, records, 0, 0, None)], now)

    assert rates.of("a", 0) is None
    look(0, 1000)
    assert rates.of("a", 0) is None  # one look tells nothing
    look(10, 1100)
    assert rates.of("a", 10) == Rate(1000, 10)
    look(30, 1300)
    assert rates.of("a", 40) == Rate(750, 7.5)  # nothing came after the last look
    assert rates.of("a", 75) == Rate(20_000 / 60, 200 / 60)  # only what came within a minute
    assert rates.of("a", 91) == Rate(0, 0)
    look(300, 7300)  # it lay still until now, or a look would have been taken
    assert rates.of("a", 300) == Rate(10_000, 100)
    assert rates.of("b", 300) is None
