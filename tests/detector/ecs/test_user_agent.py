"""User agents: AWS's clients by the short way against the whole list, and what the list tells."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ua_parser.loaders import load_lazy_builtins

from detector.ecs.fields import field_table
from detector.ecs.user_agent import client_name, client_version, listed_client, may_be_client
from detector.esql.plan.planner import plan
from tests.detector.esql.conftest import START, record

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/122.0.0.0 Mobile Safari/537.36"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/122.0.0.0 Safari/537.36 Edg/122.0.2365.92"
)

HEADS = """aws-cli Boto3 Boto aws-sdk-go aws-sdk-java aws-sdk-nodejs aws-sdk-ruby2 aws-sdk-ruby3
aws-sdk-go-v2 aws-sdk-cpp aws-sdk-js aws-sdk-rust aws-sdk-php APN botocore"""
TAILS = """md/Botocore#1.34.0 ua/2.0 os/linux#6.1 os/macos#24.5.0 Python/3.11.8 Linux/5.10
Windows/10 botocore/1.12.209 exec-env/AWS_Lambda_python3.12 lang/python#3.11 md/command#s3.ls
aws-sdk-go-v2/1.30.0 Terraform/1.5"""
heads = st.sampled_from(HEADS.split())
versions = st.sampled_from(["2.17.0", "1.16", "2", "1.34.0.1", "1.0-beta", "3.1rc1", ""])
tails = st.lists(st.sampled_from(TAILS.split()), max_size=4)


TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) "
    "terraform-provider-aws/5.81.0"
)
before = st.sampled_from(["", "", TERRAFORM + " "])


@settings(max_examples=200)
@given(before, heads, versions, tails, st.booleans())
def test_client_of_aws_is_that_of_the_list(before, head, version, tail, in_brackets):
    agent = before + " ".join([f"{head}/{version}", *tail])
    if in_brackets:
        agent = f"[{agent}]"
    assert (client_name(agent), client_version(agent)) == listed_client(agent)


_CLIENTS = ("aws-cli", "Boto", "Boto3")


@given(before, st.sampled_from([*HEADS.split(), "AWS-CLI", "myaws-cli", "Firefox"]), versions)
def test_client_has_no_name_that_it_may_not_have(before, head, version):
    agent = f"{before}{head}/{version}"
    assert may_be_client(agent, client_name(agent))
    assert [name for name in _CLIENTS if may_be_client(agent, name)] == [
        name for name in _CLIENTS if name in agent
    ]
    assert may_be_client(None, "aws-cli") and may_be_client(agent, "Firefox")


def test_list_gives_names_of_aws_clients_only_as_they_stand_in_the_agent():
    clients, _, _ = load_lazy_builtins()
    for matcher in clients:
        made = "(.*)".join(map(re.escape, re.split(r"\$\d", matcher.family)))
        assert matcher.family == "$1" or not any(re.fullmatch(made, name) for name in _CLIENTS)


@pytest.mark.parametrize(
    "agent", ["ec2.amazonaws.com", "a-b.us-east-1.amazonaws.com", "AWS Internal"]
)
def test_service_of_aws_is_unknown_to_the_list(agent):
    assert listed_client(agent) == (client_name(agent), client_version(agent)) == ("Other", None)


@pytest.mark.parametrize(
    "agent, expected",
    [
        (IPHONE, ("Mobile Safari", "17.4", "iOS", "17.4", "iOS 17.4", "iPhone")),
        (ANDROID, ("Chrome Mobile", "122.0.0.0", "Android", "10", "Android 10", "K")),
        (EDGE, ("Edge", "122.0.2365.92", "Windows", "10", "Windows 10", "Other")),
        ("PostmanRuntime/7.36.1", ("PostmanRuntime", "7.36.1", None, None, None, "Other")),
        ("python-requests/2.31.0", ("Python Requests", "2.31", None, None, None, "Other")),
        ("S3 Browser/11.6.7", ("Other", None, None, None, None, "Other")),
        ("aws-cli/2.17.0 os/linux#6.1", ("aws-cli", "2.17.0", "Linux", None, None, "Other")),
        (None, (None,) * 6),
        ("-", (None,) * 6),
        ("\u202e" * 5000, ("Other", None, None, None, None, "Other")),
    ],
)
def test_fields_are_those_of_the_user_agent_processor(agent, expected):
    table, call = field_table(), record(userAgent=agent)
    names = ("name", "version", "os.name", "os.version", "os.full", "device.name")
    assert tuple(table[f"user_agent.{name}"].read(call) for name in names) == expected


def test_system_is_a_column_only_where_the_query_names_it():
    fields, call = field_table(), record(userAgent=IPHONE)
    plain = plan('from logs-* | where user_agent.name == "Mobile Safari"', fields)
    assert "user_agent.os.name" not in plain.columns and "user_agent.name" in plain.columns
    named = plan('from logs-* | where user_agent.os.name == "iOS"', fields)
    assert "user_agent.os.name" in named.columns and named.rows(call, START)
    kept = plan("from logs-* | keep user_agent.*", fields)
    assert "user_agent.device.name" in kept.columns


def test_list_is_not_loaded_for_clients_of_aws():
    """It takes half a second, in each process."""
    code = (
        "import sys; from detector.ecs.user_agent import client_name as name; "
        "assert name('aws-cli/2.17.0 md/x') == 'aws-cli' and name('ec2.amazonaws.com') == 'Other'; "
        "assert 'ua_parser' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_list_is_not_loaded_to_tell_another_client_from_one_of_aws():
    code = """
import sys
from detector.ecs.fields import field_table
from detector.esql.plan.planner import plan
from tests.detector.esql.conftest import START, record

query = plan('from logs-* | where user_agent.name == "aws-cli" | keep event.id', field_table())
assert not query.rows(record(userAgent="Mozilla/5.0 Firefox/135.0"), START)
assert not query.rows(record(userAgent=None), START)
assert query.rows(record(userAgent="aws-cli/2.17.0 md/x"), START)
assert "ua_parser" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
