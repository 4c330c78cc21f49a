"""Replaces a rule's query by the saved query that it names."""

from __future__ import annotations

import msgspec

from detector.rules.kibana.export import Export
from detector.rules.rule_file import Metadata, RuleError


def with_saved_query(metadata: Metadata, export: Export) -> Metadata:
    """Return a rule with the query and the filters of its saved query.

    Rules of other types are returned as they are. If the saved query is not in the files, the
    rule's own query is used, as in Kibana. Raises RuleError if the rule has neither."""
    if metadata.type != "saved_query":
        return metadata
    saved = export.saved_queries.get(metadata.saved_id)
    if saved is None:
        if metadata.query_text.strip():
            return metadata
        raise RuleError(
            f"the saved query {metadata.saved_id} lies in Kibana: export it with the saved "
            "objects, and name the .ndjson too",
            key="saved_id",
        )
    query = saved.get("query")
    if not isinstance(query, dict) or not isinstance(query.get("query"), str):
        raise RuleError(f"the saved query {metadata.saved_id} has no text", key="saved_id")
    filters = saved.get("filters") or []
    if not isinstance(filters, list):
        raise RuleError(f"the filters of {metadata.saved_id} are no list", key="saved_id")
    return msgspec.structs.replace(
        metadata,
        query_text=query["query"],
        language=str(query.get("language") or "kuery"),
        filters=[*metadata.filters, *filters],
    )
