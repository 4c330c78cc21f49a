"""An evaluator of EQL conditions over plain records, and a generator of their texts.

It shares no code with the detector. A condition here is a Python object that writes its own text
and decides, value by value, whether a record fulfils it.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from hypothesis import strategies as st

Raw = dict[str, Any]
Values = list[Any]
"""The values of an expression on a record; None is no value."""

_PARAMETERS = "aws.cloudtrail.flattened.request_parameters"
_PATHS: dict[str, tuple[str, ...]] = {
    "event.action": ("eventName",),
    "event.provider": ("eventSource",),
    "cloud.region": ("awsRegion",),
    "aws.cloudtrail.error_code": ("errorCode",),
    "aws.cloudtrail.resources.arn": ("resources", "ARN"),
    f"{_PARAMETERS}.name": ("requestParameters", "name"),
    f"{_PARAMETERS}.tags": ("requestParameters", "tags"),
}
TEXT_FIELDS = tuple(_PATHS)


def field_values(record: Raw, field: str) -> Values:
    """Return the distinct values at a field's path, through lists; [None] without one."""
    found: Values = [record]
    for name in _PATHS[field]:
        step = []
        for each in found:
            items = each if isinstance(each, list) else [each]
            step += [item[name] for item in items if isinstance(item, dict) and name in item]
        found = step
    flat: Values = []
    for each in found:
        flat += each if isinstance(each, list) else [each]
    return list({value: None for value in flat if value not in (None, "")}) or [None]


class Value(NamedTuple):
    """An expression with a value: its text, and its values on a record."""

    text: str
    values: Callable[[Raw], Values]


class Condition(NamedTuple):
    text: str
    holds: Callable[[Raw], bool]


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def literal(value: Any) -> Value:
    shown = json.dumps(value, ensure_ascii=False)
    return Value(shown, lambda _: [value])


def field(name: str) -> Value:
    return Value(name, lambda record: field_values(record, name))


def computed(text: str, compute: Callable[..., Any], *parts: Value) -> Value:
    """A function of values: null of null, and of each combination of its parts' values."""

    def values(record: Raw) -> Values:
        combinations = itertools.product(*(part.values(record) for part in parts))
        return [None if None in chosen else compute(*chosen) for chosen in combinations]

    return Value(text, values)


def call(name: str, compute: Callable[..., Any], *parts: Value) -> Value:
    return computed(f"{name}({', '.join(part.text for part in parts)})", compute, *parts)


def any_of(text: str, part: Value, test: Callable[[Any], bool]) -> Condition:
    return Condition(
        text,
        lambda record: any(value is not None and test(value) for value in part.values(record)),
    )


def negated(condition: Condition) -> Condition:
    return Condition(f"not ({condition.text})", lambda record: not condition.holds(record))


def joined(word: str, conditions: Iterable[Condition]) -> Condition:
    parts = list(conditions)
    combine = {"and": all, "or": any}[word]
    return Condition(
        f" {word} ".join(f"({part.text})" for part in parts),
        lambda record: combine(part.holds(record) for part in parts),
    )


def glob(pattern: str, escapes: bool = False) -> str:
    """A pattern of wildcards as one of Python's; with ``escapes``, a backslash is one."""
    made = ""
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\" and escapes:
            made += re.escape(next(letters, "\\"))
        else:
            made += {"*": ".*", "?": "."}.get(letter, re.escape(letter))
    return made


def matches(pattern: str, ignore_case: bool) -> Callable[[Any], bool]:
    pattern = pattern.replace("\\w", "[a-zA-Z0-9_]")  # as Lucene reads it
    compiled = re.compile(pattern, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
    return lambda value: compiled.fullmatch(value) is not None


# records

WORDS = (
    "GetObject",
    "getobject",
    "PutObject",
    "s3.amazonaws.com",
    "a*b",
    "a\\b",
    "ab",
    "x",
    "é",
    "É",
)
PARTS = (
    "Get",
    "et",
    "t",
    "Ge",
    "ab/ab",
    "get",
    "Object",
    "object",
    ".com",
    "a",
    "*",
    "?",
    "b",
    "é",
    "a*",
    "s?",
    "\\*",
)
REGEXES = ("[a-z]+", "Get.*", "get(Object|x)", ".*\\.com", "a.b", "[^a]?.*t", "x|ab", "\\w+", "[é]")
words = st.sampled_from(WORDS)
texts = st.one_of(words, st.sampled_from(PARTS))


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


changes = st.fixed_dictionaries(
    {
        "eventName": words,
        "eventSource": words,
        "awsRegion": _maybe(words),
        "errorCode": _maybe(words),
        "resources": _maybe(
            st.lists(st.fixed_dictionaries({"ARN": words, "accountId": st.just("1")}), max_size=3)
        ),
        "requestParameters": _maybe(
            st.fixed_dictionaries({}, optional={"name": words, "tags": st.lists(words, max_size=3)})
        ),
        "sourceIPAddress": st.sampled_from(["10.1.2.3", "203.0.113.7", "2001:db8::1", "x.aws"]),
        "readOnly": st.sampled_from([True, False, None]),
    }
)

# conditions

fields = st.sampled_from(TEXT_FIELDS).map(field)
_ORDERS = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compared(part: Value, sign: str, value: Any) -> Condition:
    text = f"{part.text} {sign} {json.dumps(value, ensure_ascii=False)}"
    if sign == "!=":  # of a field, what is not equal; of a computed value, what differs
        if part.text in TEXT_FIELDS:
            return Condition(text, lambda record: value not in part.values(record))
        return any_of(text, part, lambda each: each != value)
    return any_of(text, part, lambda each: _ORDERS[sign](each, value))


def _null_check(part: Value, sign: str) -> Condition:
    is_null = sign == "=="
    return Condition(
        f"{part.text} {sign} null", lambda record: (None in part.values(record)) == is_null
    )


def _listed(part: Value, word: str, options: list[str]) -> Condition:
    text = f"{part.text} {word} ({', '.join(map(quoted, options))})"
    folds = word.endswith("~")
    known = {option.lower() if folds else option for option in options}
    found = any_of(text, part, lambda each: (each.lower() if folds else each) in known)
    if word.startswith("not"):
        return Condition(text, lambda record: not found.holds(record))
    return found


def _patterned(part: Value, word: str, patterns: list[str]) -> Condition:
    shown = ", ".join(map(quoted, patterns))
    if len(patterns) > 1:
        shown = f"({shown})"
    ignore_case = word == ":" or word.endswith("~")
    translate = (lambda text: text) if word.startswith("regex") else glob
    tests = [matches(translate(pattern), ignore_case) for pattern in patterns]
    return any_of(f"{part.text} {word} {shown}", part, lambda each: any(t(each) for t in tests))


def _wildcard_call(part: Value, name: str, text: str) -> Condition:
    """stringContains and endsWith of a field and a constant are wildcard queries."""
    pattern = glob(text, escapes=True)
    pattern = f".*{pattern}" if name.startswith("endsWith") else f".*{pattern}.*"
    return any_of(f"{name}({part.text}, {quoted(text)})", part, matches(pattern, name[-1] == "~"))


def _text_call(name: str, left: Value, right: Value) -> Condition:
    tests: dict[str, Callable[[str, str], bool]] = {
        "startsWith": str.startswith,
        "endsWith": str.endswith,
        "stringContains": lambda text, part: part in text and bool(part),
    }
    test = tests[name.removesuffix("~")]
    if name.endswith("~"):
        return any_of_call(name, lambda a, b: test(a.lower(), b.lower()), left, right)
    return any_of_call(name, test, left, right)


def any_of_call(name: str, compute: Callable[..., Any], *parts: Value) -> Condition:
    made = call(name, compute, *parts)
    return any_of(made.text, made, bool)


def _between(text: str, left: str, right: str) -> str:
    _, found, rest = text.partition(left)
    inside, ends, _ = rest.partition(right)
    return inside if found and ends else ""


def _sliced(start: int, end: int) -> Callable[[str], str]:
    return lambda text: text[start:end]


def _found(text: str, part: str) -> int | None:
    position = text.find(part)
    return None if position < 0 else position


computed_texts = st.one_of(
    st.builds(
        lambda a, b: call("concat", lambda *texts: "".join(texts), a, literal("/"), b),
        fields,
        fields,
    ),
    st.builds(
        lambda part, start, end: computed(
            f"substring({part.text}, {start}, {end})", _sliced(start, end), part
        ),
        fields,
        st.integers(-4, 4),
        st.integers(-4, 6),
    ),
    st.builds(
        lambda part, a, b: call("between", _between, part, literal(a), literal(b)),
        fields,
        st.sampled_from(["G", "a", "s3"]),
        st.sampled_from(["O", "b", "."]),
    ),
)
numbers = st.one_of(
    st.one_of(fields, computed_texts).map(lambda part: call("length", len, part)),
    st.builds(lambda a, b: call("indexOf", _found, a, literal(b)), fields, st.sampled_from("aOb")),
    st.builds(
        lambda part, sign, by: computed(
            f"length({part.text}) {sign} {by}",
            lambda text: {"+": len(text) + by, "*": len(text) * by, "/": len(text) // by}[sign],
            part,
        ),
        fields,
        st.sampled_from("+*/"),
        st.integers(1, 3),
    ),
    st.builds(
        lambda part, by: call("modulo", lambda n, m: n % m, call("length", len, part), literal(by)),
        fields,
        st.integers(1, 4),
    ),
)
_SIGNS = ["==", "!=", "<", "<=", ">", ">="]
atoms = st.one_of(
    st.builds(_compared, fields, st.sampled_from(_SIGNS), texts),
    st.builds(_compared, numbers, st.sampled_from(_SIGNS), st.integers(-1, 12)),
    st.builds(_compared, computed_texts, st.sampled_from(_SIGNS), texts),
    st.builds(_null_check, fields, st.sampled_from(["==", "!="])),
    st.builds(
        _listed,
        fields,
        st.sampled_from(["in", "in~", "not in", "not in~"]),
        st.lists(texts, min_size=1, max_size=3),
    ),
    st.builds(
        _patterned,
        st.one_of(fields, computed_texts),
        st.sampled_from([":", "like", "like~"]),
        st.lists(texts, min_size=1, max_size=2),
    ),
    st.builds(
        _patterned,
        fields,
        st.sampled_from(["regex", "regex~"]),
        st.lists(st.sampled_from(REGEXES), min_size=1, max_size=2),
    ),
    st.builds(
        _wildcard_call,
        fields,
        st.sampled_from(["stringContains", "stringContains~", "endsWith", "endsWith~"]),
        texts,
    ),
    st.builds(
        _text_call,
        st.sampled_from(["startsWith", "startsWith~"]),
        fields,
        texts.map(literal),
    ),
    st.builds(
        _text_call,
        st.sampled_from(["startsWith", "endsWith~", "stringContains", "stringContains~"]),
        fields,
        fields,
    ),
    st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "203.0.113.7/32"]).map(
        lambda block: Condition(
            f"cidrMatch(source.ip, {quoted(block)})", lambda record: _in_block(record, block)
        )
    ),
    st.sampled_from(
        [
            Condition("aws.cloudtrail.read_only", lambda record: record.get("readOnly") is True),
            Condition(
                "aws.cloudtrail.read_only == false", lambda record: record.get("readOnly") is False
            ),
            Condition(
                "aws.cloudtrail.read_only != false",
                lambda record: record.get("readOnly") is not False,
            ),
            Condition("?no.such.field == null", lambda _: True),
            Condition('?no.such.field != "x"', lambda _: True),
            Condition('?no.such.field : "*"', lambda _: False),
            Condition("true", lambda _: True),
        ]
    ),
)


def _in_block(record: Raw, block: str) -> bool:
    try:
        return ipaddress.ip_address(record["sourceIPAddress"]) in ipaddress.ip_network(block)
    except ValueError:
        return False


conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(negated),
        st.builds(joined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=4,
)
