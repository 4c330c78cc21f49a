"""The walk through syntax trees against reading all fields of all nodes."""

from collections.abc import Iterator
from typing import Any

import pytest

from detector.eql.parser import parse_eql
from detector.esql import ast
from detector.esql.node_codec import decode_node, encode_node
from detector.esql.parser import parse_query
from detector.esql.tree_walk import walk
from detector.rules.ruleset import load

_QUERIES = (
    """from logs-aws.cloudtrail-* metadata _id
    | where a.b == "x" and not (c in (1, 2) or d is null) and e like "x*" and f:"y"
    | eval g = case(h > 1, -i, j::long), k = mv_count(l) + 1
    | rename m as n | keep a.*, n | drop o
    | stats p = count(*) where q rlike "z.", r = values(s) by t = date_trunc(5 minutes, @timestamp)
    | sort p desc nulls last | limit 5""",
    """from logs-aws.cloudtrail-* | enrich people on user.name with title = job, team
    | lookup join hosts on source.ip | dissect a "%{b} %{c}" | grok d "%{WORD:e}" | mv_expand f
    | inline stats g = max(h) by i | where j - k > 2""",
)
_SEQUENCE = """sequence by user.name with maxspan=5m
  [any where event.action == "A" and ?user.id != null]
  [any where event.action : ("b*", "c")]"""


def _trees() -> Iterator[ast.Tree]:
    yield from map(parse_query, _QUERIES)
    yield from (rule.query.tree for rule in load())


def _all_nodes(part: Any) -> Iterator[ast.Node]:
    if isinstance(part, tuple):
        for each in part:
            yield from _all_nodes(each)
    elif isinstance(part, ast.Node):
        yield part
        for name in part.__struct_fields__:
            yield from _all_nodes(getattr(part, name))


def test_walk_yields_every_node_in_order() -> None:
    for tree in _trees():
        assert [id(node) for node in walk(tree)] == [id(node) for node in _all_nodes(tree)]


def test_walk_of_sequence_yields_its_steps() -> None:
    tree = parse_eql(_SEQUENCE, "event.category")
    assert list(walk(tree)) == list(_all_nodes(tree))


@pytest.mark.parametrize("query", _QUERIES)
def test_decoded_tree_is_the_encoded_one(query: str) -> None:
    tree = parse_query(query)
    assert decode_node(encode_node(tree)) == tree


@pytest.mark.parametrize("value", [["Call", "now"], ["Column"], ["Span", 1, 1, 0, 0], ["Nothing"]])
def test_what_is_no_node_is_refused(value: list[Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        decode_node(value)
