"""The rate of a source, from samples of its volume."""

from __future__ import annotations

from detector.store import Volume
from tui.screens.admin.read_rates import Rate, ReadRates


def test_rate_covers_last_minute() -> None:
    rates = ReadRates()

    def sample(now: float, records: int) -> None:
        rates.sample([Volume("a", 1, 100 * records, records, 0, 0, None)], now)

    assert rates.rate("a", 0) is None
    sample(0, 1000)
    assert rates.rate("a", 0) is None  # one sample gives no rate
    sample(10, 1100)
    assert rates.rate("a", 10) == Rate(1000, 10)
    sample(30, 1300)
    assert rates.rate("a", 40) == Rate(750, 7.5)  # nothing came after the last sample
    assert rates.rate("a", 75) == Rate(20_000 / 60, 200 / 60)  # only what came within a minute
    assert rates.rate("a", 91) == Rate(0, 0)
    sample(300, 7300)  # nothing came before, or a sample would have been taken
    assert rates.rate("a", 300) == Rate(10_000, 100)
    assert rates.rate("b", 300) is None
