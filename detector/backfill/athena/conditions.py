"""The conditions of a selection in Athena's SQL.

Each condition accepts at least the wanted records; trailhound filters the result again, exactly. A
network, for example, is matched by the octets that its addresses have in common.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from detector.backfill.athena.sql import any_of, literal, literal_list
from detector.backfill.selection import CallSelection, RecordSelection
from detector.backfill.spans import Span
from detector.detection.indicator import Indicator
from detector.text.time import format_time

_CALLER_ARN = "useridentity.arn"
_CALLER_KEY = "useridentity.accesskeyid"
_ISSUER_ARN = "useridentity.sessioncontext.sessionissuer.arn"


def record_conditions(selection: RecordSelection, span: Span) -> Iterator[str]:
    """Yield the conditions on a span's records; all of them must hold."""
    first, last = span.delivery_days
    yield f"day BETWEEN {literal(first)} AND {literal(last)}"
    yield f"account IN {literal_list(selection.accounts)}"
    yield f"region IN {literal_list(selection.regions)}"
    yield f"eventtime >= {literal(format_time(span.start))}"
    yield f"eventtime < {literal(format_time(span.end))}"
    if selection.calls is not None:
        yield any_of(_call_conditions(selection.calls))
    if selection.principals:
        yield any_of(_principal_conditions(selection.principals))
    if selection.indicators:
        yield any_of(_indicator_conditions(selection.indicators))
    if selection.condition is not None:
        yield selection.condition


def _call_conditions(calls: CallSelection) -> Iterator[str]:
    whole = [source for source, names in calls.by_source.items() if names is None]
    if whole:
        yield f"lower(eventsource) IN {literal_list(whole)}"
    if calls.names:
        yield f"lower(eventname) IN {literal_list(calls.names)}"
    for source, names in sorted(calls.by_source.items()):
        if names is not None:
            yield (
                f"(lower(eventsource) = {literal(source)} "
                f"AND lower(eventname) IN {literal_list(names)})"
            )


def _principal_conditions(principals: Sequence[str]) -> Iterator[str]:
    arns = [each for each in principals if each.startswith("arn:")]
    keys = [each for each in principals if not each.startswith("arn:")]
    if keys:
        yield f"{_CALLER_KEY} IN {literal_list(keys)}"
    if arns:
        yield from _arn_conditions(arns)


def _arn_conditions(arns: Sequence[str]) -> Iterator[str]:
    """Yield conditions on callers, any of which suffices: the ARN itself, or sessions of a role."""
    yield f"{_CALLER_ARN} IN {literal_list(arns)}"
    yield f"{_ISSUER_ARN} IN {literal_list(arns)}"
    for arn in arns:
        if ":assumed-role/" in arn:
            prefix = arn + "/"
            yield f"starts_with({_CALLER_ARN}, {literal(prefix)})"


def _indicator_conditions(indicators: Sequence[Indicator]) -> Iterator[str]:
    by_kind: dict[str, list[str]] = {}
    for each in indicators:
        by_kind.setdefault(each.kind, []).append(each.value)
    for kind, values in sorted(by_kind.items()):
        match kind:
            case "account":
                yield f"recipientaccountid IN {literal_list(values)}"
                yield f"useridentity.accountid IN {literal_list(values)}"
            case "agent":
                for value in values:
                    yield f"strpos(lower(useragent), {literal(value)}) > 0"
            case "arn":
                yield from _arn_conditions(values)
            case "event":
                yield f"lower(eventid) IN {literal_list(values)}"
            case "key":
                yield f"{_CALLER_KEY} IN {literal_list(values)}"
                for value in values:  # The call that created a key shows it in its response.
                    yield f"strpos(responseelements, {literal(value)}) > 0"
            case _:
                yield from network_conditions(values)


def network_conditions(networks: Sequence[str]) -> Iterator[str]:
    """Yield conditions of which records from any of the networks meet at least one.

    Raises ValueError for text that is not a network."""
    plain, prefixes = set(), set()
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        if network.version == 4 and network.prefixlen == 32:
            plain.add(str(network.network_address))
        elif network.version == 4:
            octets = str(network.network_address).split(".")[: network.prefixlen // 8]
            prefixes.add("".join(f"{octet}." for octet in octets))
        else:
            # An IPv6 address has several spellings, which share the first group.
            first_group = network.network_address.exploded.split(":")[0].lstrip("0")
            prefixes.add(f"{first_group}:" if network.prefixlen >= 16 else "")
    if plain:
        yield f"sourceipaddress IN {literal_list(plain)}"
    for prefix in sorted(prefixes):
        yield f"starts_with(lower(sourceipaddress), {literal(prefix)})"
