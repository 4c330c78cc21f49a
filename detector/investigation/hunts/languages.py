"""The languages of hunt queries, compiled to the same kind of query.

ES|QL queries choose their columns. The other languages only select events; these are returned with
the same few columns, ordered by time.
"""

from __future__ import annotations

from detector.ecs.fields import FieldTable
from detector.eql.parser import parse_eql
from detector.esql import ast, kql, parser
from detector.esql.errors import QUERY_START, EsqlError
from detector.esql.expressions.scope import QueryOptions
from detector.esql.lookup.files import NO_LOOKUPS, Lookups
from detector.esql.lucene.parser import parse_lucene
from detector.esql.plan.planner import plan, plan_tree
from detector.esql.plan.query import Query
from detector.triage.hunt_record import QueryLanguage

EVENT_COLUMNS = (
    "@timestamp",
    "aws.cloudtrail.user_identity.arn",
    "event.provider",
    "event.action",
    "cloud.region",
    "event.outcome",
    "source.ip",
    "event.id",
)
"""The columns of queries in languages that choose none."""

EXAMPLES: dict[QueryLanguage, str] = {
    "esql": "from logs-aws.cloudtrail-*\n"
    '| where event.action == "CreateAccessKey"\n'
    "| stats calls = count(*) by aws.cloudtrail.user_identity.arn",
    "kql": 'event.action: (CreateAccessKey or CreateLoginProfile) and event.outcome: "success"',
    "lucene": "event.action:Create* AND NOT event.outcome:failure",
    "eql": 'any where event.action : "Create*" and event.outcome == "success"',
}
"""An example query in each language, the starting point of a new query."""


def plan_query(
    text: str,
    language: QueryLanguage,
    fields: FieldTable,
    now: int | None = None,
    lookups: Lookups = NO_LOOKUPS,
) -> Query:
    """Compile a hunt's query.

    ``now`` is the value of NOW(), ``lookups`` the lookup tables it may use. Raises EsqlError with
    the position in the text.
    """
    options = QueryOptions(now, lookups=lookups)
    if not text.strip():
        raise EsqlError(QUERY_START, "no query yet")
    if language == "esql":
        return plan(text, fields, options)
    tree = parser.parse_query(_EVENTS)
    source, *shown = tree.commands
    commands = (source, ast.Where(_condition(text, language), span=QUERY_START), *shown)
    return plan_tree(
        ast.Tree(commands, span=QUERY_START), text, fields, options, (), separate=False
    )


_EVENTS = (
    f"from logs-aws.cloudtrail-* | sort @timestamp, event.id | keep {', '.join(EVENT_COLUMNS)}"
)


def _condition(text: str, language: QueryLanguage) -> ast.Expression:
    """Parse a query into the condition that selects its events."""
    if language == "kql":
        return kql.parse_kql(text)
    if language == "lucene":
        return parse_lucene(text)
    command = parse_eql(text).commands[-1]
    if not isinstance(command, ast.Where):
        raise EsqlError(
            command.span,
            "a sequence needs a rule: hunt for its steps one by one, or put it into a rule file",
        )
    return command.condition
