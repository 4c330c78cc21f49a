"""Example filters, each with its meaning and the alerts that pass; docs/filters.md lists them."""

from __future__ import annotations

from tests.tui.build import START, alert

AT = START + 2 * 3600
"""The reference, 2026-03-01 12:00:00Z; the alerts begin two hours before it."""

ALERTS = (
    alert(
        "kali",
        severity="high",
        user_agents=["aws-cli/2.17.32 os/linux#6.8-kali2"],
        flags=("snapshot",),
        regions=["us-east-1", "eu-west-1"],
        revision=2,
    ),
    alert(
        "tool",
        at=5_400,
        arns=["arn:aws:sts::444455556666:assumed-role/inventory/nightly"],
        accounts=["444455556666"],
        source_addresses=["10.0.3.9", "2001:db8::7"],
        user_agents=["prowler/5"],
        regions=["us-east-1"],
        status="acknowledged",
        denied=12,
    ),
    alert(
        "old",
        at=-86_400,
        severity="medium",
        arns=[],
        accounts=["999988887777"],
        status="closed",
        suppressed_by="s1",
        broke_through=["snapshot 1"],
        source_addresses=["198.51.100.4"],
        user_agents=['say "hi", (twice)'],
        regions=["ap-south-1"],
    ),
)

EXAMPLES: tuple[tuple[str, str, str], ...] = (
    ("kali", "anywhere in any text field, whatever the case", "kali"),
    ("ana kali", "both, in any field", "kali"),
    ('"kali2"', "quotes keep spaces and special characters literal", "kali"),
    ("!kali", "not; `-kali` and `not kali` say the same", "tool old"),
    ("region:us-", "in this field", "kali tool"),
    ("region=us-east-1", "the whole value", "kali tool"),
    (
        "region:us-*-1",
        "wildcards, matched against the whole value; `?` is one character",
        "kali tool",
    ),
    ("principal:*/nightly", "", "tool"),
    ("severity:high,medium", "one of several", "kali old"),
    ("severity>=medium", "severity has an order", "kali old"),
    ("status!=open", "is not", "tool old"),
    ("status:ack", "fixed words can be shortened to their beginning", "tool"),
    ("calls>10 revision>1", "numbers: `>` `>=` `<` `<=` `=` `:`", "kali"),
    ("calls:10..20", "an inclusive range; either end may be left out", "kali tool old"),
    ("denied:1..", "", "tool"),
    ("span<30s", "a length of time: `s` `m` `h` `d` `w`", "kali tool old"),
    ("source:10.0.0.0/8", "a network, IPv4 or IPv6", "tool"),
    ("source:2001:db8:0::7", "an address, however it is written", "tool"),
    ("flag:snap", "flags by their name, or by the word in the list", "kali"),
    ('key:""', "no value", ""),
    ('principal:""', "", "old"),
    ("broke:*", "any value", "old"),
    ("kali or severity:medium", "`or` binds more loosely than terms side by side", "kali old"),
    ("(kali or prowler) region:us-", "parentheses", "kali tool"),
    ("-(kali or prowler)", "", "old"),
    ("arn:aws:iam", "an ARN, an IPv6 address or a URL needs no quotes", "kali"),
    (r'agent="say \"hi\", (twice)"', r"in quotes `\"` is a quote and `\\` a backslash", "old"),
    ("last 2h", "from two hours before the reference on", "kali tool"),
    ("since 11:30", "from the last 11:30 on; likewise `after`, `before`, `until`", "tool"),
    ("since yesterday", "", "kali tool old"),
    ("2026-03-01", "on that day", "kali tool"),
    ("2026-02-27..2026-02-28", "from the first to the last day", "old"),
    ("11:00..12:00", "from minute to minute", "tool"),
    ("time:10:00..10:30", "the same of a field", "kali"),
    ("time<2026-03-01T10:00", "", "old"),
    ("ended>=now-45m", "a time before or after the reference", "tool"),
)

ERRORS: tuple[tuple[str, str], ...] = (
    ("acount:1", "no field acount; did you mean account?"),
    ("nonsense:1", "no field nonsense; quote it to search for the text"),
    (
        "severity:hihg",
        "severity: hihg is not one of low, medium, high, critical; did you mean high?",
    ),
    ("severity>*", "severity: * may be low or medium or high or critical: type more of it"),
    ("calls>many", "calls: many is not a number: write it like 10"),
    ("calls:20..10", "calls: 20..10 ends before it starts"),
    ("calls>1..2", "calls: a range works with : only, not with >"),
    ("calls>1,2", "> compares with one value"),
    (
        "principal>a",
        "principal: > compares numbers, times and severities; this field is text: use : or =",
    ),
    ("status>open", "status: open has no order: use : or ="),
    ("source:10.0.0.0/40", "source: 10.0.0.0/40 is not a network: write it like 10.0.0.0/8"),
    (
        "since yesteday",
        "time: yesteday is not a time: write it like 11:30, yesterday, 2026-03-01, "
        "2026-03-01T11:30 or now-2h; did you mean yesterday?",
    ),
    (
        "time:2026-02-30",
        "time: 2026-02-30 is not a time: write it like 11:30, yesterday, 2026-03-01, "
        "2026-03-01T11:30 or now-2h",
    ),
    ("2026-03-02..2026-03-01", "time: 2026-03-02..2026-03-01 ends before it starts"),
    ("last year", "last year: such as 30m, 2h, 7d"),
    ("(a))", "this ) has no matching (: quote it to search for it"),
    ("or a", "or needs a term on both sides: quote it to search for the word"),
    ("()", "nothing between ( and )"),
    ("(" * 60 + "a", "more than 40 nested parentheses"),
    ("a" * 5_000, "a filter has at most 4,000 characters"),
)

UNFINISHED: tuple[tuple[str, str, str], ...] = (
    ("kali severity:", "kali", "severity: needs a value"),
    ("kali severity:high,", "kali", "severity:high, needs a value"),
    ("kali !", "kali", "! needs something after it"),
    ("kali or", "kali", "or needs something after it"),
    ("kali (tool or", "kali (tool)", "or needs something after it"),
    ("kali (", "kali", "nothing between ( and )"),
    ("kali since ", "kali", "since what? such as 11:30, yesterday, 2026-03-01"),
    ('kali agent:"', "kali", 'agent:" needs a value'),
)
"""What is being typed, what holds meanwhile, and what is said when it is entered so."""
