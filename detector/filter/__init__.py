"""The filter language of lists and commands; docs/filters.md describes it."""

from __future__ import annotations

from detector.filter.compile import Filter, parse_filter, parse_unfinished
from detector.filter.fields import Field, Fields
from detector.filter.parser import FilterError

__all__ = ["Field", "Fields", "Filter", "FilterError", "parse_filter", "parse_unfinished"]
