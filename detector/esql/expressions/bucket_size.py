"""Choose the bucket size for a range, as ES|QL's BUCKET does.

The size is a human-friendly one that gives at most the requested number of buckets.
"""

from __future__ import annotations

import math

from detector.esql.expressions.timespan import TemporalAmount, date_truncator

_SIZES = (
    (1, "year"),
    (1, "month"),
    (1, "week"),
    (1, "day"),
    (12, "hours"),
    (3, "hours"),
    (1, "hour"),
    (30, "minutes"),
    (10, "minutes"),
    (5, "minutes"),
    (1, "minute"),
    (30, "seconds"),
    (10, "seconds"),
    (5, "seconds"),
    (1, "second"),
    (100, "ms"),
    (50, "ms"),
    (10, "ms"),
    (1, "ms"),
)


def date_bucket_size(most: int, start: int, end: int) -> TemporalAmount:
    """Return the shortest size of which ``most`` buckets cover ``start`` to ``end`` (epoch ms).

    Return a year if no size is long enough."""
    best = TemporalAmount.of(*_SIZES[0])
    for size in _SIZES:
        amount = TemporalAmount.of(*size)
        if _reaches(amount, most, start, end):
            best = amount
    return best


def _reaches(amount: TemporalAmount, most: int, start: int, end: int) -> bool:
    first = date_truncator(amount)(start)
    if amount.length:
        return first + most * amount.length >= end
    return amount.added_to(first, most) >= end


def number_bucket_size(most: int, start: float, end: float) -> float | None:
    """Return a power of ten, or half of one, of which about ``most`` cover the range.

    Return None if the range is empty or ``most`` is below 1."""
    if most < 1 or not start < end:
        return None
    precise = (end - start) / most
    power = math.pow(10, math.ceil(math.log10(precise)))
    return power / 2 if precise < power / 2 else power
