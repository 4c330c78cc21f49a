"""Elastic's rule types -> queries. The ones that are no ES|QL become the tree that the same in ES|QL would be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from detector.ecs.fields import FieldTable
from detector.esql import ast, kql, parser
from detector.esql.errors import EsqlError, Span
from detector.esql.plan import predicate_analysis
from detector.esql.plan.planner import plan_tree, reads_cloudtrail
from detector.esql.plan.query import Query
from detector.esql.scope import QueryOptions
from detector.esql.timespan import LONGEST_WINDOW
from detector.rules.rule_file import Metadata, RuleError
from detector.text.suggest import nearest

_REFUSED = {
    "eql": "EQL (type eql) is not supported: rules in ES|QL and KQL run here",
    "machine_learning": "a machine learning job (type machine_learning) runs in Elasticsearch only",
    "threat_match": "indicator match (type threat_match) is not supported: it reads indices of indicators",
    "saved_query": "a saved query (type saved_query) lies in Kibana, not in the file",
}
_LANGUAGES = {"esql": "esql", "query": "kuery", "threshold": "kuery", "new_terms": "kuery"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_START = Span(1, 1, 0, 0)


def compiled(about: Metadata, fields: FieldTable, options: QueryOptions) -> Query:
    """Raises EsqlError with its place in the query's text, RuleError for what is wrong elsewhere in
    the rule."""
    if about.type not in _LANGUAGES:
        raise RuleError(
            _REFUSED.get(about.type, f"rules of type {about.type} are not supported"), key="type"
        )
    if about.language not in ("", _LANGUAGES[about.type]):
        raise RuleError(
            f"the language {about.language} is not supported in a rule of type {about.type}",
            key="language",
        )
    for name in ("filters", "exceptions_list"):
        if getattr(about, name):
            raise RuleError(
                f"{name} beside the query are not supported: put the conditions into the query",
                key=name,
            )
    if about.type != "esql" and about.index and not any(map(_holds_cloudtrail, about.index)):
        raise RuleError(
            f"reads {', '.join(about.index)}, which is not CloudTrail (logs-aws.cloudtrail-*)",
            key="index",
        )
    match about.type:
        case "esql":
            query = _esql(about, fields, options)
        case "threshold":
            query = _threshold(about, fields, options)
        case "new_terms":
            return _new_terms(about, fields, options)
        case _:
            query = _planned(about, (), fields, options, _grouping(about))
    if query.shape == "lookback":
        if (lookback := _ago(about.lookback, "from")) > LONGEST_WINDOW:
            raise RuleError(
                f"from: over {LONGEST_WINDOW // 86_400} days are not supported", key="from"
            )
        return replace(query, window=lookback)
    return (
        replace(query, window=gap(about))
        if query.shape == "filter" and about.alert_suppression
        else query
    )


def gap(about: Metadata) -> int:
    """Within how many seconds alerts are one by ``alert_suppression``; 0 without."""
    suppression = about.alert_suppression
    if suppression is None:
        return 0
    if suppression.duration is None:  # within one run of the rule, and it runs so often
        return _ago(f"now-{about.interval}", "interval")
    return suppression.duration.value * _SECONDS[suppression.duration.unit]


def _ago(text: str, key: str) -> int:
    if not (found := re.fullmatch(r"now-([0-9]{1,9})([smhdw])", text.replace(" ", ""))) or not int(
        found[1]
    ):
        raise RuleError(f"{key}: {text} is not supported: write it like now-6m", key=key)
    return int(found[1]) * _SECONDS[found[2]]


def _holds_cloudtrail(pattern: str) -> bool:
    return reads_cloudtrail(pattern) or pattern.startswith("filebeat-")


def _esql(about: Metadata, fields: FieldTable, options: QueryOptions) -> Query:
    """A window is a set of events: one that would count several times in it is refused."""
    tree = parser.parse(about.query_text)
    if command := predicate_analysis.find_multiplying_command(tree):
        raise EsqlError(
            command.span,
            "mv_expand before stats would count an event several times: "
            "let stats group by that field, or use the functions of multivalues",
        )
    return plan_tree(tree, about.query_text, fields, options, _grouping(about))


def _planned(
    about: Metadata,
    commands: Sequence[ast.Command],
    fields: FieldTable,
    options: QueryOptions,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """The query that first asks for what the rule's KQL says."""
    asked = ast.Where(kql.parse(about.query_text), span=_START)
    tree = ast.Tree(
        (ast.From(("logs-aws.cloudtrail-*",), (), span=_START), asked, *commands), span=_START
    )
    return plan_tree(tree, about.query_text, fields, options, keys)


def _threshold(about: Metadata, fields: FieldTable, options: QueryOptions) -> Query:
    wanted = about.threshold
    if wanted is None:
        raise RuleError("the threshold is missing", key="type")
    _known((*wanted.fields, *(each.field for each in wanted.cardinality)), fields, "threshold")
    count = ast.Call("count", (), on_rows=True, span=_START)
    made: list[tuple[str, ast.Expression, int]] = [("threshold_result.count", count, wanted.value)]
    made += [
        (
            f"threshold_result.cardinality.{each.field}",
            ast.Call("count_distinct", (_column(each.field),), span=_START),
            each.value,
        )
        for each in wanted.cardinality
    ]
    conditions = tuple(
        ast.Compare(">=", _column(name), ast.Literal(least, span=_START), span=_START)
        for name, _, least in made
        if least > 1 or len(made) == 1
    )
    stats = ast.Stats(
        tuple(
            ast.Aggregation(ast.Named(name, expression, span=_START), None, span=_START)
            for name, expression, _ in made
        ),
        tuple(ast.Named(name, _column(name), span=_START) for name in wanted.fields),
        span=_START,
    )
    having = conditions[0] if len(conditions) == 1 else ast.Logic("and", conditions, span=_START)
    commands = (*_present(wanted.fields), stats, ast.Where(having, span=_START))
    return _planned(about, commands, fields, options)


def _new_terms(about: Metadata, fields: FieldTable, options: QueryOptions) -> Query:
    terms, since = about.terms
    if not terms or not since:
        raise RuleError("new_terms and its history_window_start are missing", key="type")
    _known(terms, fields, "new_terms")
    keys = tuple(ast.Named(name, _column(name), span=_START) for name in terms)
    query = _planned(about, _present(terms), fields, options, keys)
    return replace(query, shape="terms", window=_ago(since, "history_window_start"))


def _grouping(about: Metadata) -> tuple[ast.Named, ...]:
    """What events of a rule must have in common for one alert, where ``alert_suppression`` says
    something of it."""
    suppression = about.alert_suppression
    if suppression is None:
        return ()
    columns = tuple(_column(name) for name in suppression.group_by)
    keys = tuple(ast.Named(column.name, column, span=_START) for column in columns)
    if suppression.missing_fields_strategy == "suppress" or not columns:
        return keys
    missing = tuple(ast.IsNull(column, span=_START) for column in columns)
    some = missing[0] if len(missing) == 1 else ast.Logic("or", missing, span=_START)
    alone = ast.Call("case", (some, _column("event.id")), span=_START)
    return (*keys, ast.Named("event.id", alone, span=_START))


def _present(names: Sequence[str]) -> tuple[ast.Command, ...]:
    """Events that lack one of these fields do not count."""
    return tuple(
        ast.Where(ast.Not(ast.IsNull(_column(name), span=_START), span=_START), span=_START)
        for name in names
    )


def _known(names: Sequence[str], fields: FieldTable, key: str) -> None:
    for name in names:
        if name not in fields:
            raise RuleError(f"{key}: no field {name}{nearest(name, fields)}", key=key)


def _column(name: str) -> ast.Column:
    return ast.Column(name, span=_START)
