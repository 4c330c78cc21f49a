"""ES|QL functions that trailhound does not support, each with the reason or an alternative.

Source: Elastic's ES|QL reference, "Functions and operators", of Elasticsearch 9.5.
"""

from __future__ import annotations

_METRICS = "it works on the time series of metrics, and CloudTrail has none"
_SHAPES = "it works on points and shapes, and CloudTrail has none"
_RANGES = "it works on ranges of dates, and CloudTrail has none; compare the dates"
_VECTORS = "it works on vectors, and CloudTrail has none"
_MODEL = "a model in Elasticsearch computes it; leave it out, with what reads it"
_SCORE = "a search here finds or does not find, and gives no score; leave it out"
_WORDS = "it works on a text cut into words, and CloudTrail has none"
_LAMBDA = "functions of functions (x -> …) are not supported; use mv_expand"

_SERIES = """
absent_over_time avg_over_time count_distinct_over_time count_over_time delta deriv
first_over_time idelta increase irate last_over_time max_over_time min_over_time
percentile_over_time present_over_time rate stddev_over_time sum_over_time variance_over_time
to_aggregate_metric_double to_aggregatemetricdouble to_counter to_exponential_histogram to_gauge
to_tdigest without bottomk limitk
"""
_SPATIAL = """
st_buffer st_centroid_agg st_contains st_dimension st_disjoint st_distance st_envelope
st_extent_agg st_geohash st_geohash_to_geoshape st_geohash_to_long st_geohash_to_string st_geohex
st_geohex_to_geoshape st_geohex_to_long st_geohex_to_string st_geometrytype st_geotile
st_geotile_to_geoshape st_geotile_to_long st_geotile_to_string st_intersects st_isempty
st_npoints st_simplify st_simplifypreservetopology st_within st_x st_xmax st_xmin st_y st_ymax
st_ymin to_cartesianpoint to_cartesianshape to_geohash to_geohex to_geopoint to_geoshape
to_geotile
"""
_OF_RANGES = """
in_range range_contains range_intersects range_max range_min range_within to_date_range to_range
"""
_OF_VECTORS = """
knn to_dense_vector v_cosine v_dot_product v_hamming v_l1_norm v_l2_norm v_magnitude
"""

UNSUPPORTED: dict[str, str] = {
    **dict.fromkeys(_SERIES.split(), _METRICS),
    **dict.fromkeys(_SPATIAL.split(), _SHAPES),
    **dict.fromkeys(_OF_RANGES.split(), _RANGES),
    **dict.fromkeys(_OF_VECTORS.split(), _VECTORS),
    **dict.fromkeys(("text_embedding", "embedding"), _MODEL),
    **dict.fromkeys(("score", "decay"), _SCORE),
    **dict.fromkeys(("chunk", "top_snippets", "extract_snippets"), _WORDS),
    **dict.fromkeys(("any_match", "filter", "map"), _LAMBDA),
    "categorize": "it cuts texts into words and makes groups of its own; group by a field",
    **dict.fromkeys(
        ("fmt_bytes", "fmt_bytes_si", "fmt_duration", "fmt_percent"),
        "it writes a number for people; leave it out",
    ),
    "date_unit_count": "write date_diff of two dates",
    "field_extract": "write aws.cloudtrail.flattened.… for one element",
    "sample": "which values it leaves is left to chance; use values or top",
    "sparkline": "it draws; use stats by a bucket of time",
    **dict.fromkeys(("to_date_nanos", "to_datenanos"), "dates have milliseconds; to_datetime"),
    **dict.fromkeys(
        ("to_unsigned_long", "to_ulong", "to_ul"), "there is no such type here; use to_long"
    ),
    **dict.fromkeys(
        ("to_version", "to_ver"), "there is no such type here; use split, and to_integer of a part"
    ),
}
"""The reason or alternative by function name in lower case."""
