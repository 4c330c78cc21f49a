"""EQL's functions and arithmetic, by the examples of its reference."""

from __future__ import annotations

import pytest

from detector.esql.errors import EsqlError
from tests.detector.eql.test_against_oracle import compiled
from tests.detector.esql.conftest import START, record


def holds(condition: str, **changed) -> bool:
    return bool(compiled(f"any where {condition}").rows(record(**changed), START))


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("add(4, 0.5)", "4.5"),
        ("subtract(-2, 4)", "-6"),
        ('STRINGCONTAINS~("abc", "B")', "true"),
        ("multiply(0.5, 2)", "1"),
        ("divide(4, 3)", "1"),
        ("divide(-7, 2)", "-3"),
        ("divide(4.0, 3) > 1.3 and 4.0 / 3 < 1.4 and 1", "1"),
        ("modulo(10, -6)", "4"),
        ("modulo(-10, -6)", "-4"),
        ("10 % 6", "4"),
        ("2 + 3 * 4 - 1", "13"),
        ("(2 + 3) * 4", "20"),
        ("- 3 + 5", "2"),
        ('between("C:\\\\Windows\\\\System32\\\\cmd.exe", "System32\\\\", ".exe")', '"cmd"'),
        ('between("system32 cmd.exe", "workspace", ".exe")', '""'),
        ('between("a/b/c", "/", "/", false)', '"b"'),
        ('between("a/b/c/d", "/", "/", true)', '"b/c"'),
        ('between~("aXbYc", "x", "y")', '"b"'),
        ('between("", "a", "b")', '""'),
        ('concat("regsvr32.exe", " ", 42)', '"regsvr32.exe 42"'),
        ('concat("regsvr32.exe", " ", 42.5, true)', '"regsvr32.exe 42.5true"'),
        ('endsWith("regsvr32.exe", ".dll")', "false"),
        ('endsWith~("regsvr32.exe", ".EXE")', "true"),
        ('endsWith("", "")', "true"),
        ('indexOf("subdomain.example.com", ".")', "9"),
        ('indexOf("subdomain.example.com", ".", 10)', "17"),
        ('indexOf("subdomain.example.com", ".", -6)', "9"),
        ('indexOf("subdomain.example.com", "", 9)', "9"),
        ('indexOf~("subdomain.example.com", "D")', "3"),
        ('indexOf("subdomain.example.com", "z")', "null"),
        ('indexOf("subdomain.example.com", ".", 30)', "null"),
        ('length("explorer.exe")', "12"),
        ("length(null)", "null"),
        ('number("1337")', "1337"),
        ('number("42.5")', "42.5"),
        ('number("deadbeef", 16)', "3735928559"),
        ('number("0xdeadbeef")', "3735928559"),
        ('number("0xdeadbeef", 16)', "3735928559"),
        ('number("  -1337  ")', "-1337"),
        ('number("x")', "null"),
        ('startsWith("regsvr32.exe", "regsvr32")', "true"),
        ('startsWith("regsvr32.exe", null)', "null"),
        ("string(42.5)", '"42.5"'),
        ("string(true)", '"true"'),
        ('stringContains("start regsvr32.exe", "start ")', "true"),
        ('stringContains("start", "START")', "false"),
        ('stringContains~("start", "START")', "true"),
        ('stringContains("start", "")', "false"),
        ('substring("start regsvr32.exe", 6)', '"regsvr32.exe"'),
        ('substring("start regsvr32.exe", 0, 5)', '"start"'),
        ('substring("start regsvr32.exe", -4)', '".exe"'),
        ('substring("start regsvr32.exe", -4, -1)', '".ex"'),
        ('substring("start", 9)', '""'),
    ],
)
def test_function_gives_what_its_reference_says(expression, expected):
    assert holds(f"{expression} == {expected}")


def test_function_of_a_constant_text_takes_wildcards_as_shipped_rules_do():
    """Elasticsearch makes wildcard queries of them, and rules escape a star by two backslashes."""
    parameters = {"attributeName": "restore", "valuesToAdd": ["111122223333"], "principal": "*"}
    field = "aws.cloudtrail.request_parameters"
    for text, expected in (
        ("valuesToAdd=[*]", True),
        ("principal=\\\\*", True),
        ("principal=x", False),
        ("attributeName=re?tore", True),
    ):
        assert holds(f'stringContains({field}, "{text}")', requestParameters=parameters) is expected
        other = {**parameters, "principal": "123"}
        if "principal" in text:
            assert not holds(f'stringContains({field}, "{text}")', requestParameters=other)


def test_function_of_two_fields_takes_no_wildcards():
    field = "aws.cloudtrail.flattened.request_parameters"
    text = f"stringContains({field}.a, {field}.b)"
    assert holds(text, requestParameters={"a": "x*y", "b": "*"})
    assert not holds(text, requestParameters={"a": "xzy", "b": "x*y"})


@pytest.mark.parametrize(
    "condition, message",
    [
        ("length(source.ip) > 1", "argument 1 of length must be a keyword, not ip"),
        ("length(user.name, 2) > 1", "length takes 1 argument, not 2"),
        (
            'stringContain(user.name, "a")',
            "no function stringContain; did you mean stringContains?",
        ),
        ("length~(user.name) == 1", "length has no form with ~"),
        ('wildcard(user.name, "a*")', "wildcard is not supported; use like~ or :"),
        ('wildcard~(user.name, "a*")', "wildcard~ is not supported; use like~ or :"),
        ('arrayContains(user.name, "a")', "arrayContains is not supported"),
        ("number(user.name) / 2 == 1", "the text decides whether number() gives a whole number"),
        ('string(1 + number(user.name)) == "2"', "the text decides whether number()"),
        ('cidrMatch(source.ip, "10.0.0.0/99")', "cidr_match:"),
        ('cidrMatch(source.address, "10.0.0.0/8")', "argument 1 of cidr_match must be an ip"),
        ('stringContains(user.name, "")', "an empty text is in each or in none"),
        ("add(1, 2, 3) == 6", "add takes 2 arguments, not 3"),
    ],
)
def test_function_that_does_not_fit_is_refused(condition, message):
    with pytest.raises(EsqlError) as error:
        compiled(f"any where {condition}")
    assert message in error.value.message
