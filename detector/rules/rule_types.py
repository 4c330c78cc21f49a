"""Compiles the queries of Elastic's rule types.

Queries in other languages are translated to the tree of an equivalent ES|QL query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from detector.ecs.fields import FieldTable
from detector.eql.parser import parse_eql
from detector.esql import ast, kql, parser
from detector.esql.errors import QUERY_START, EsqlError
from detector.esql.expressions.scope import QueryOptions
from detector.esql.expressions.timespan import LONGEST_WINDOW
from detector.esql.lucene.parser import parse_lucene
from detector.esql.plan.planner import plan_tree, reads_cloudtrail
from detector.esql.plan.predicate_analysis import find_multiplying_command
from detector.esql.plan.query import Query
from detector.esql.tree_walk import join_conditions
from detector.rules.rule_file import Metadata, RuleError, parse_ago, suppression_gap
from detector.text.time import DAY

_UNSUPPORTED_TYPES = {
    "machine_learning": "a machine learning job (type machine_learning) runs in Elasticsearch only",
    "threat_match": (
        "indicator match (type threat_match) is not supported, since it reads indices of "
        "indicators: write ES|QL with enrich or lookup join of a file of them"
    ),
}
_QUERY_BAR = ("kuery", "lucene")
_LANGUAGES = {
    "eql": ("eql",),
    "esql": ("esql",),
    "query": _QUERY_BAR,
    "saved_query": _QUERY_BAR,
    "threshold": _QUERY_BAR,
    "new_terms": _QUERY_BAR,
}
"""The supported rule types, each with its languages."""
EVERYTHING = ("", "*", "*:*")
"""Queries of Kibana's query bar that match every event."""
_EVENT_TIMES = ("@timestamp", "event.ingested", "event.created")
"""The fields that have the event's time here."""


class QueryContext(msgspec.Struct, frozen=True):
    """What a query is compiled with.

    ``conditions`` are those of the rule's filters and exceptions; an event must also fulfil
    them."""

    fields: FieldTable
    options: QueryOptions
    conditions: tuple[ast.Expression, ...] = ()

    def plan(self, metadata: Metadata, tree: ast.Tree, keys: tuple[ast.Named, ...] = ()) -> Query:
        """Plan a query with the conditions added in front. Raises EsqlError."""
        source, *commands = tree.commands
        conditions = [ast.Where(condition, span=source.span) for condition in self.conditions]
        whole = msgspec.structs.replace(tree, commands=(source, *conditions, *commands))
        return plan_tree(whole, metadata.query_text, self.fields, self.options, keys)


def compile_rule(metadata: Metadata, context: QueryContext) -> Query:
    """Compile the query of a supported rule.

    Raises EsqlError with its place in the query's text, RuleError for the rest of the rule."""
    match metadata.type:
        case "esql":
            query = _compile_esql(metadata, context)
        case "eql":
            query = _compile_eql(metadata, context)
        case "threshold":
            query = _compile_threshold(metadata, context)
        case "new_terms":
            return _compile_new_terms(metadata, context)
        case _:
            query = _compile_filter(metadata, (), context, _suppression_keys(metadata))
    if query.calendar_span:  # whole weeks or months, whatever ``from`` says
        return replace(query, window=query.calendar_span)
    if query.shape in ("lookback", "sequence"):
        return _with_window(query, metadata)
    if query.shape == "filter" and metadata.alert_suppression:
        return replace(query, window=suppression_gap(metadata))
    return query


def _with_window(query: Query, metadata: Metadata) -> Query:
    """Return a query with its lookback window: the query's own, else the rule's ``from``.

    Raises RuleError if it is too long."""
    key, window = "query", query.window
    if window is None:
        key, window = "from", parse_ago(metadata.lookback, "from")
    if window > LONGEST_WINDOW:
        days = LONGEST_WINDOW // DAY
        raise RuleError(f"{key}: over {days} days are not supported", key=key)
    return replace(query, window=window)


def check_supported(metadata: Metadata) -> None:
    """Raise RuleError for a rule that cannot run here."""
    type = metadata.type
    suppression = metadata.alert_suppression
    if suppression is not None and not suppression.group_by and type != "threshold":
        raise RuleError("alert_suppression: group_by is missing", key="alert_suppression")
    if type not in _LANGUAGES:
        message = _UNSUPPORTED_TYPES.get(type, f"rules of type {type} are not supported")
        raise RuleError(message, key="type")
    if metadata.language and metadata.language not in _LANGUAGES[type]:
        raise RuleError(
            f"the language {metadata.language} is not supported in a rule of type {type}",
            key="language",
        )
    if type == "esql" and metadata.filters:
        raise RuleError(
            "filters beside a query in ES|QL are not supported: put the conditions into the query",
            key="filters",
        )
    if type != "esql" and metadata.index and not any(map(_covers_cloudtrail, metadata.index)):
        raise RuleError(
            f"reads {', '.join(metadata.index)}: trailhound holds CloudTrail only "
            "(logs-aws.cloudtrail-*)",
            key="index",
        )


def _covers_cloudtrail(pattern: str) -> bool:
    return reads_cloudtrail(pattern) or pattern.startswith("filebeat-")


def _compile_esql(metadata: Metadata, context: QueryContext) -> Query:
    tree = parser.parse_query(metadata.query_text)
    # A window is a set of events, so none may count several times.
    command = find_multiplying_command(tree)
    if command is not None:
        raise EsqlError(
            command.span,
            "mv_expand before stats would count an event several times: "
            "let stats group by that field, or use the functions of multivalues",
        )
    return context.plan(metadata, tree, _suppression_keys(metadata))


def _compile_eql(metadata: Metadata, context: QueryContext) -> Query:
    """Compile EQL: a filter, or a sequence."""
    category = metadata.event_category_override or "event.category"
    _check_fields([category], context.fields, "event_category_override")
    if metadata.timestamp_field not in ("", *_EVENT_TIMES):
        raise RuleError(
            f"timestamp_field: {metadata.timestamp_field} is not supported: "
            "events are in the order of @timestamp",
            key="timestamp_field",
        )
    tree = parse_eql(metadata.query_text, category)
    is_sequence = isinstance(tree.commands[-1], ast.Sequence)
    if is_sequence and metadata.alert_suppression:
        raise RuleError(
            "alert_suppression of a sequence is not supported: what overlaps is one alert here",
            key="alert_suppression",
        )
    return context.plan(metadata, tree, _suppression_keys(metadata))


def parse_query_bar(metadata: Metadata) -> ast.Expression:
    """Parse a query of Kibana's query bar: KQL or Lucene. Raises EsqlError."""
    text = metadata.query_text
    if text.strip() in EVERYTHING:
        return ast.Literal(True, span=QUERY_START)
    if metadata.language == "lucene":
        return parse_lucene(text)
    return kql.parse_kql(text)


def _compile_filter(
    metadata: Metadata,
    commands: Sequence[ast.Command],
    context: QueryContext,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """Compile the rule's condition as a WHERE, followed by ``commands``."""
    source = ast.From(("logs-aws.cloudtrail-*",), (), span=QUERY_START)
    condition = ast.Where(parse_query_bar(metadata), span=QUERY_START)
    tree = ast.Tree((source, condition, *commands), span=QUERY_START)
    return context.plan(metadata, tree, keys)


def _compile_threshold(metadata: Metadata, context: QueryContext) -> Query:
    """Compile a threshold rule as STATS with a WHERE on the counts."""
    threshold = metadata.threshold
    if threshold is None:
        raise RuleError("the threshold is missing", key="type")
    cardinality_fields = [cardinality.field for cardinality in threshold.cardinality]
    _check_fields((*threshold.fields, *cardinality_fields), context.fields, "threshold")
    count = ast.Call("count", (), on_rows=True, span=QUERY_START)
    aggregations = [_aggregation("threshold_result.count", count)]
    conditions = []
    if threshold.value > 1:
        conditions.append(_at_least("threshold_result.count", threshold.value))
    for cardinality in threshold.cardinality:
        name = f"threshold_result.cardinality.{cardinality.field}"
        count_distinct = ast.Call("count_distinct", (_column(cardinality.field),), span=QUERY_START)
        aggregations.append(_aggregation(name, count_distinct))
        if cardinality.value > 0:
            conditions.append(_at_least(name, cardinality.value))
    if not conditions:
        conditions.append(_at_least("threshold_result.count", 1))
    by = tuple(ast.Named(name, _column(name), span=QUERY_START) for name in threshold.fields)
    stats = ast.Stats(tuple(aggregations), by, span=QUERY_START)
    where = ast.Where(join_conditions("and", conditions), span=QUERY_START)
    commands = (*where_not_null(threshold.fields), stats, where)
    return _compile_filter(metadata, commands, context)


def _compile_new_terms(metadata: Metadata, context: QueryContext) -> Query:
    terms, history_start = metadata.terms
    if not terms or not history_start:
        raise RuleError("new_terms and its history_window_start are missing", key="type")
    _check_fields(terms, context.fields, "new_terms")
    keys = tuple(ast.Named(name, _column(name), span=QUERY_START) for name in terms)
    query = _compile_filter(metadata, where_not_null(terms), context, keys)
    return replace(query, shape="terms", window=parse_ago(history_start, "history_window_start"))


def _suppression_keys(metadata: Metadata) -> tuple[ast.Named, ...]:
    """Return the keys by which ``alert_suppression`` merges alerts."""
    suppression = metadata.alert_suppression
    if suppression is None:
        return ()
    columns = tuple(_column(name) for name in suppression.group_by)
    keys = tuple(ast.Named(column.name, column, span=QUERY_START) for column in columns)
    if suppression.missing_fields_strategy == "suppress" or not columns:
        return keys
    # An event that lacks one of the fields forms its own group: its id is also a key.
    is_missing = join_conditions("or", [ast.IsNull(column, span=QUERY_START) for column in columns])
    event_id = ast.Call("case", (is_missing, _column("event.id")), span=QUERY_START)
    return (*keys, ast.Named("event.id", event_id, span=QUERY_START))


def where_not_null(names: Sequence[str]) -> tuple[ast.Command, ...]:
    """Return the commands that drop events without one of these fields."""
    return tuple(
        ast.Where(
            ast.Not(ast.IsNull(_column(name), span=QUERY_START), span=QUERY_START), span=QUERY_START
        )
        for name in names
    )


def _check_fields(names: Sequence[str], fields: FieldTable, key: str) -> None:
    for name in names:
        if name not in fields:
            raise RuleError(f"{key}: no field {name}{fields.hint(name)}", key=key)


def _column(name: str) -> ast.Column:
    return ast.Column(name, span=QUERY_START)


def _aggregation(name: str, expression: ast.Expression) -> ast.Aggregation:
    return ast.Aggregation(ast.Named(name, expression, span=QUERY_START), None, span=QUERY_START)


def _at_least(name: str, number: int) -> ast.Compare:
    return ast.Compare(">=", _column(name), ast.Literal(number, span=QUERY_START), span=QUERY_START)
