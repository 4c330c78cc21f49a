"""Advises on keys of a rule that have no effect here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from detector.rules.rule_file import Metadata
from detector.text.suggest import nearest

_PASSED_OVER = """
actions alias_purpose alias_target_id anomaly_threshold bypass_bbr_timing concurrent_searches
created_at created_by data_view_id enabled execution_summary id immutable items_per_search
machine_learning_job_id meta namespace outcome output_index related_integrations required_fields
response_actions revision rule_source threat_filters threat_index threat_indicator_path
threat_language threat_mapping threat_query throttle tiebreaker_field timeline_id timeline_title
timestamp_override timestamp_override_fallback_disabled to updated_at updated_by version
"""
"""Keys of Elastic's schema that do not affect what a rule finds here."""
_KNOWN = frozenset((*Metadata.__struct_encode_fields__, *_PASSED_OVER.split()))


class KeyAdvice(NamedTuple):
    """A sentence on a key of the rule."""

    key: str
    sentence: str


def key_advice(metadata: Metadata, is_column: Callable[[str], bool]) -> Iterator[KeyAdvice]:
    """Yield advice on keys that an author would expect to have an effect.

    ``is_column`` tells whether an alert can have a field; mappings by other fields have no effect
    in Elasticsearch either.
    """
    for key in metadata.other_keys:
        if key not in _KNOWN:
            hint = nearest(key, _KNOWN)
            yield KeyAdvice(key, f"{key} is no key of Elastic's rules, so it is not read{hint}")
    for field in filter(is_column, _mapped(metadata.severity_mapping)):
        yield KeyAdvice(
            "severity_mapping",
            f"severity_mapping by {field} is not applied: alerts have the severity of the rule",
        )
    for field in filter(is_column, _mapped(metadata.risk_score_mapping)):
        yield KeyAdvice(
            "risk_score_mapping",
            f"risk_score_mapping by {field} is not applied: alerts have the risk of the rule",
        )
    if is_column(metadata.rule_name_override):
        yield KeyAdvice(
            "rule_name_override",
            "rule_name_override is not applied: alerts bear the name of the rule",
        )


def _mapped(mapping: Sequence[Any]) -> list[str]:
    """Return the distinct fields of a mapping."""
    fields = [each.get("field") for each in mapping if isinstance(each, dict)]
    return [field for field in dict.fromkeys(fields) if isinstance(field, str)]
