"""The filter language: words, ``field:value``, comparisons, ranges, networks, wildcards, times. See docs/filters.md."""

from __future__ import annotations

from detector.filter.compile import Filter, parse, parse_so_far
from detector.filter.fields import Field, Fields
from detector.filter.parser import FilterError

__all__ = ["Field", "Fields", "Filter", "FilterError", "parse", "parse_so_far"]
