"""The scalar and aggregate functions of ES|QL.

Source: Elastic's ES|QL reference, "Functions and operators".
"""

from detector.esql.functions import conversions, dates, multivalues, numbers, text
from detector.esql.functions.registry import FUNCTIONS, Function

__all__ = [
    "FUNCTIONS",
    "UNSUPPORTED",
    "Function",
    "conversions",
    "dates",
    "multivalues",
    "numbers",
    "text",
]

UNSUPPORTED = frozenset(
    {
        "match",
        "match_phrase",
        "multi_match",
        "qstr",
        "knn",
        "score",
        "term",
        "categorize",
        "json_extract",
        "decay",
        "to_version",
        "to_unsigned_long",
        "to_ul",
        "to_ulong",
        "to_date_nanos",
        "to_datenanos",
        "to_geopoint",
        "to_geoshape",
        "to_cartesianpoint",
        "to_cartesianshape",
        "to_aggregate_metric_double",
        "top_snippets",
        "chunk",
        "text_embedding",
        "embedding",
        "network_direction",
        "rate",
        "irate",
        "increase",
        "delta",
        "idelta",
        "deriv",
        "st_distance",
        "st_intersects",
        "st_within",
        "st_contains",
        "st_disjoint",
        "st_x",
        "st_y",
        "st_envelope",
    }
)
"""Functions that ES|QL has and trailhound does not."""
