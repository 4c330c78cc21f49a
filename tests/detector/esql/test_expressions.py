"""ES|QL expressions and their values, which are those of the language's reference."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.null_propagation import _map_values
from detector.esql.expressions.scope import NOW, RECORD, TIME, ColumnScope, CompiledExpr, RowLayout
from detector.esql.functions.unsupported import UNSUPPORTED
from detector.esql.parser import parse_expression
from detector.text.time import format_shortest
from tests.detector.esql.conftest import START, record

COLUMNS = {
    "n": (None, "keyword"),
    "s": ("Hello", "keyword"),
    "i": (7, "integer"),
    "l": (2**40, "long"),
    "d": (2.5, "double"),
    "yes": (True, "boolean"),
    "no": (False, "boolean"),
    "unknown": (None, "boolean"),
    "none": (None, "integer"),
    "ip": ("10.1.2.3", "ip"),
    "ip6": ("2001:db8::1", "ip"),
    "noip": (None, "ip"),
    "nodate": (None, "date"),
    "mv": (["a", "b", "a"], "keyword"),
    "nums": ([3, 1, 2], "integer"),
    "floats": ([1.5, 3.0], "double"),
    "flags": ([True, False], "boolean"),
    "ips": (["10.0.0.2", "9.0.0.1"], "ip"),
    "texts": (["1", "x", "3"], "keyword"),
    "one_of_many": ("a", "keyword"),
    "endless": ([1.0, float("inf"), 2.0], "double"),
}


def column_reader(value):
    def read(row):
        assert row[RECORD] is not None
        return value

    return read


def evaluate(text):
    """The value of an expression, a date as text, and its type."""
    frame = RowLayout()
    scope = ColumnScope(frame, field_table())
    for name, (value, type) in COLUMNS.items():
        is_many = isinstance(value, list) or name == "one_of_many"
        scope.define(name, CompiledExpr(column_reader(value), type, is_many))
    code = Compiler(scope).compile(parse_expression(text))
    row = frame.new_row()
    row[RECORD], row[NOW], row[TIME] = record(), (START + 3600) * 1000, START * 1000
    value = code.read(row)
    return (
        format_shortest(value) if code.type == "date" and isinstance(value, int) else value
    ), code.type


TABLE = r'''
# logic has three values
yes and unknown                                   | None
no and unknown                                    | False
unknown and no                                    | False
yes or unknown                                    | True
unknown or yes                                    | True
no or unknown                                     | None
not unknown                                       | None
not no                                            | True
not s == "x" and i == 7                           | True
yes or no and no                                  | True
(yes or no) and no                                | False
flags and yes                                     | None

# a column of multivalues may have one value; several are null
one_of_many == "a"                                | True
length(one_of_many)                               | 1
length(mv)                                        | None
to_upper(mv)                                      | ['A', 'B', 'A']
to_upper(mv) == "A"                               | None
to_upper(one_of_many) == "A"                      | True
split("a,b", ",") == "a"                          | None
to_integer(texts)                                 | [1, 3]
to_integer(endless)                               | [1, 2]
mv_count(texts)                                   | 3
mv_union(mv, n)                                   | ['a', 'b']
mv_union(n, mv)                                   | ['a', 'b']
substring(one_of_many, 1, 1)                      | 'a'
substring(s, none, 1)                             | None

# what is made of constants is one
ip == concat("10.1.2", ".3")                      | True

# comparisons
s == "Hello"                                      | True
s == "hello"                                      | False
s != "x"                                          | True
n == "x"                                          | None
n != "x"                                          | None
not n == "x"                                      | None
n == null                                         | None
mv == "a"                                         | None
i == 7.0                                          | True
i < l                                             | True
d >= 2.5                                          | True
s < "World"                                       | True
"B" < "a"                                         | True
ip == "10.1.2.3"                                  | True
"10.1.2.3" == ip                                  | True
ip < "9.0.0.0"                                    | False
ip > "9.0.0.0"                                    | True
yes == "true"                                     | True
@timestamp == "2026-01-01"                        | True
@timestamp > "2025-12-31T23:59:59.999Z"           | True
@timestamp < now()                                | True
@timestamp > now() - 1 hour                       | False
@timestamp >= now() - 1 hour                      | True

# in
s in ("a", "Hello")                               | True
s in ("a", "b")                                   | False
s in ("a", null)                                  | None
s in ("Hello", null)                              | True
n in ("a", "b")                                   | None
s not in ("a", "b")                               | True
s not in ("a", null)                              | None
n not in ("a")                                    | None
mv in ("a", "b")                                  | None
true in (starts_with(s, "H"), starts_with(s, "x")) | True
true in (starts_with(n, "H"), starts_with(s, "x")) | None
i in (1, 7)                                       | True
ip in ("10.1.2.3", "1.1.1.1")                     | True
s in (s, "x")                                     | True

# null
n is null                                         | True
n is not null                                     | False
mv is not null                                    | True
s is null                                         | False
i == 7 is null                                    | False
none == 7 is null                                 | True
none == 7 is not null                             | False
not i == 7 is null                                | True
i == 7 in (true)                                  | True

# comments, also one in another
i /* a /* b */ c */ == 7                          | True
/* /* /* a */ */ ** */ i == 7                     | True
i /* a /* b */ == 7                               | True
i /* a */ - /* b */ 7 // /* c                     | 0

# like: the whole text, * and ?
s like "H*"                                       | True
s like "*ll*"                                     | True
s like "h*"                                       | False
s like "H?llo"                                    | True
s like "Hell"                                     | False
s like "H%"                                       | False
s not like "x*"                                   | True
n like "*"                                        | None
n not like "*"                                    | None
mv like "a*"                                      | None
s like ("x*", "H*")                               | True
"a*b" like "a\\*b"                              | True
"axb" like "a\\*b"                              | False
"a\nb" like "a*b"                                | True

# rlike: the whole text, Lucene's language
s rlike "H.*"                                     | True
s rlike "ello"                                    | False
s rlike "(Hello|World)"                           | True
s rlike "[A-Z][a-z]{4}"                           | True
s rlike "^Hello$"                                 | False
"^a$" rlike "^a$"                                 | True
"a1" rlike "\\w\\d"                              | True
"a.b" rlike """a\.b"""                           | True
"axb" rlike """a\.b"""                           | False
"x@y" rlike ".*@.*"                               | True
s not rlike "x.*"                                 | True
n rlike ".*"                                      | None

# arithmetic
i + 1                                             | 8
i - 10                                            | -3
i * 2                                             | 14
i / 2                                             | 3
-7 / 2                                            | -3
i / 2.0                                           | 3.5
i % 4                                             | 3
-7 % 4                                            | -3
2 + 3 * 4                                         | 14
(2 + 3) * 4                                       | 20
10 - 2 - 3                                        | 5
-i                                                | -7
- -i                                              | 7
i / 0                                             | None
d / 0                                             | None
i + none                                          | None
i + nums                                          | None
2147483647 + 1                                    | None
2147483648 + 1                                    | 2147483649
9223372036854775807 + 1                           | None
l * l                                             | None
1e3                                               | 1000.0
.5 + .5                                           | 1.0

# dates and timespans
@timestamp + 1 day                                | 2026-01-02T00:00:00Z
@timestamp - 90 minutes                           | 2025-12-31T22:30:00Z
@timestamp + 1 month                              | 2026-02-01T00:00:00Z
"2026-01-31"::date + 1 month                      | 2026-02-28T00:00:00Z
"2024-02-29"::date + 1 year                       | 2025-02-28T00:00:00Z
1 week + @timestamp                               | 2026-01-08T00:00:00Z
now()                                             | 2026-01-01T01:00:00Z
"2026-01-31" + 1 month                            | 2026-02-28T00:00:00Z
@timestamp + (1 day + 2 days)                     | 2026-01-04T00:00:00Z
@timestamp + (1 hour - 30 minutes)                | 2026-01-01T00:30:00Z
@timestamp - (1 year + 1 month)                   | 2024-12-01T00:00:00Z
"2026-01-31" + (1 month + 3 days)                 | 2026-03-03T00:00:00Z
"2026-01-31" + (3 days + 1 month)                 | 2026-03-03T00:00:00Z
"2026-03-31" - (1 month + 3 days)                 | 2026-02-25T00:00:00Z
"2026-03-31" + (1 month - 1 week)                 | 2026-04-23T00:00:00Z
"2026-03-31" - -(1 month - 1 week)                | 2026-04-23T00:00:00Z
(1 month + 3 days) + "2026-01-31"::date           | 2026-03-03T00:00:00Z
date_trunc(1 month + 1 day - 1 day, "2026-03-31") | 2026-03-01T00:00:00Z
date_trunc(1 year + 1 month - 1 month, "2026-03-31") | 2026-01-01T00:00:00Z
date_trunc(6 months + 1 quarter, "2026-03-31")      | 2026-01-01T00:00:00Z
date_trunc(12 months, "2026-03-31")                 | 2026-01-01T00:00:00Z
date_trunc(2 years, "2026-03-31")                   | 2025-01-01T00:00:00Z
"2024-02-29"::date + (1 year + 1 month)             | 2025-03-29T00:00:00Z
"2024-02-29"::date + (1 year - 12 months)           | 2024-02-29T00:00:00Z
"9999-12-15" + (1 month - 20 days)                | 9999-12-26T00:00:00Z
"0001-01-15" - (1 month - 31 days)                | 0001-01-15T00:00:00Z
"9999-12-15" + (1 month + 20 days)                | None
trange(1 hour)                                    | False
trange(61 minutes)                                | True
trange("2025-12-31", "2026-01-01")                | True
trange("2026-01-01", "2026-01-02")                | False
trange(1767225599999, 1767225600000)              | True
date_trunc(30 seconds, "2026-01-01T00:00:59Z"::datetime) | 2026-01-01T00:00:30Z
date_trunc(1 hour, "1985-02-18T10:35:26Z"::date)  | 1985-02-18T10:00:00Z
date_trunc(1 day, "1985-02-18T10:35:26Z"::date)   | 1985-02-18T00:00:00Z
date_trunc(1 week, "1985-02-20T10:00:00Z"::date)  | 1985-02-18T00:00:00Z
date_trunc(1 month, "1985-02-18T10:35:26Z"::date) | 1985-02-01T00:00:00Z
date_trunc(1 quarter, "1985-06-18"::date)         | 1985-04-01T00:00:00Z
date_trunc(1 year, "1985-02-18"::date)            | 1985-01-01T00:00:00Z
date_trunc(240 hours, "1985-02-18"::date)         | 1985-02-11T00:00:00Z
date_trunc(1 second, "1969-12-31T23:59:59.5Z"::date) | 1969-12-31T23:59:59Z
date_trunc(1 hour, nodate)                        | None
bucket(@timestamp, 1 hour)                        | 2026-01-01T00:00:00Z
bucket("1985-07-09"::date, 20, "1985-01-01", "1986-01-01") | 1985-07-01T00:00:00Z
bucket("1985-07-09"::date, 100, "1985-01-01", "1986-01-01") | 1985-07-08T00:00:00Z
bin(i, 5)                                         | 5.0
bucket(-1, 5)                                     | -5.0
bucket(d, 0.75)                                   | 2.25
bucket(26000, 20, 25324, 74999)                   | 25000.0
bucket(none, 5)                                   | None
bucket(nums, 5)                                   | None
round_to(i, 1, 5, 10)                             | 5
round_to(0, 5, 1)                                 | 1
round_to(d, 1, 2)                                 | 2.0
round_to(i, 1.5, 9)                               | 1.5
round_to(@timestamp, "2025-01-01", "2026-06-01")  | 2025-01-01T00:00:00Z
round_to(none, 1)                                 | None
year("2022-05-06T13:00:00Z"::date)                | 2022
month("2022-05-06T13:00:00Z"::date)               | 5
day("2022-05-06T13:00:00Z"::date)                 | 6
hour("2022-05-06T13:00:00Z"::date)                | 13
date_diff("seconds", "2026-01-01", "2026-01-01T01:00:00Z") | 3600
date_diff("seconds", "2026-01-01T01:00:00Z", "2026-01-01") | -3600
date_diff("minute", "2026-01-01", "2026-01-01T00:01:59Z")  | 1
date_diff("year", "2023-12-01", "2023-12-31T23:59:59Z")    | 0
date_diff("year", "2023-12-01", "2024-12-01")     | 1
date_diff("month", "2024-01-31", "2024-02-29")    | 0
date_diff("days", nodate, @timestamp)             | None
date_extract("year", "2022-05-06"::date)          | 2022
date_extract("hour_of_day", "2022-05-06T13:00:00Z"::date) | 13
date_extract("day_of_week", "2022-05-06"::date)   | 5
date_format("yyyy-MM-dd", "2022-05-06T13:00:00Z"::date) | '2022-05-06'
date_format("HH 'h' mm", "2022-05-06T13:05:00Z"::date) | '13 h 05'
date_parse("yyyy/MM/dd", "2022/05/06")            | 2022-05-06T00:00:00Z
date_parse("yyyy/MM/dd", "x")                     | None
day_name("2026-01-01"::date)                      | 'Thursday'

# choices
case(yes, "a", "b")                               | 'a'
case(no, "a", "b")                                | 'b'
case(unknown, "a", "b")                           | 'b'
case(flags, "a", "b")                             | 'b'
case(no, "a")                                     | None
case(no, "a", i == 7, "b", "c")                   | 'b'
case(yes, null, 1)                                | None
case(no, 1, 2.5)                                  | 2.5
case(yes, 1, 2.5)                                 | 1.0
coalesce(n, s)                                    | 'Hello'
coalesce(n, null, "x")                            | 'x'
coalesce(n, n)                                    | None
coalesce(mv, s)                                   | ['a', 'b', 'a']
greatest(1, 5, 3)                                 | 5
greatest(1, none)                                 | None
least("b", "a")                                   | 'a'
clamp(i, 1, 5)                                    | 5
clamp(i, 8, 9)                                    | 8
clamp(i, 9, 8)                                    | 8
clamp(i, 1, 9.5)                                  | 7.0
clamp_min("b", "a")                               | 'b'
clamp_max(ip, "9.0.0.1"::ip)                      | '9.0.0.1'
clamp_max(ip6, "9.0.0.1"::ip)                     | '9.0.0.1'
clamp_max(nums, 1)                                | None

# text
concat(s, " ", "World")                           | 'Hello World'
concat(s, n)                                      | None
starts_with(s, "He")                              | True
ends_with(s, "lo")                                | True
starts_with(mv, "a")                              | None
contains(s, "ell")                                | True
substring(s, 2)                                   | 'ello'
substring(s, 2, 3)                                | 'ell'
substring(s, -3)                                  | 'llo'
substring(s, -3, 2)                               | 'll'
substring(s, 0, 2)                                | 'He'
substring(s, 99)                                  | ''
left(s, 3)                                        | 'Hel'
right(s, 3)                                       | 'llo'
locate(s, "l")                                    | 3
locate(s, "x")                                    | 0
length(s)                                         | 5
length("é")                                       | 1
byte_length("é")                                  | 2
bit_length("é")                                   | 16
length(n)                                         | None
to_lower(s)                                       | 'hello'
to_upper(mv)                                      | ['A', 'B', 'A']
trim("  x ")                                      | 'x'
ltrim("  x ")                                     | 'x '
reverse(s)                                        | 'olleH'
repeat("ab", 3)                                   | 'ababab'
replace(s, "l+", "L")                             | 'HeLo'
replace(s, "$", "$0!")                            | 'Hello!'
replace(s, "(x)?l", "<$1>")                       | 'He<><>o'
replace("été, un", "\\b(\\w)", "<$1>")            | '<é>té, <u>n'
replace("abxd", "x*", "-")                        | '-a-b--d-'
replace(s, "(?<first>l)(?<second>o)", "$2$1")     | 'Helol'
replace(s, s, "$1")                               | None
replace("a-b", "(\\w)-(\\w)", "$2-$1")                | 'b-a'
split("a;b;c", ";")                               | ['a', 'b', 'c']
split("abc", ";")                                 | 'abc'
from_base64("aGVsbG8=")                           | 'hello'
from_base64("!")                                  | None
to_base64("hello")                                | 'aGVsbG8='
md5("a")                                          | '0cc175b9c0f1b6a831c399e269772661'
url_decode("a%20b+c")                             | 'a b c'
url_encode_component("a b/~é")                    | 'a%20b%2F~%C3%A9'

# conversions
to_string(7)                                      | '7'
to_string(2.0)                                    | '2.0'
to_string(true)                                   | 'true'
to_string(@timestamp)                             | '2026-01-01T00:00:00.000Z'
to_string(nums)                                   | ['3', '1', '2']
to_string(ip)                                     | '10.1.2.3'
to_integer("42")                                  | 42
to_integer("2.7")                                 | 3
to_integer("x")                                   | None
to_integer("2147483648")                          | None
to_integer(2.5)                                   | 3
to_integer(-2.5)                                  | -2
to_long("2147483648")                             | 2147483648
to_long(@timestamp)                               | 1767225600000
to_double("1.5")                                  | 1.5
to_double(i)                                      | 7.0
to_integer(["1", "x", "3"])                       | [1, 3]
to_boolean("TRUE")                                | True
to_boolean("1")                                   | False
to_boolean(1)                                     | True
to_datetime("2026-01-01T00:00:00.000Z")           | 2026-01-01T00:00:00Z
to_datetime(1767225600000)                        | 2026-01-01T00:00:00Z
to_datetime("yesterday")                          | None
to_datetime("2026-01-01T02:00:00,5+02")            | 2026-01-01T00:00:00.500Z
to_datetime("2026-01-01 00:00:00")                | None
to_datetime(" 2026-01-01")                        | None
to_datetime(1.5)                                  | 1970-01-01T00:00:00.002Z
to_datetime(1e300)                                | None
cbrt(27)                                          | 3.0
copy_sign(i, -2.5)                                | -7
copy_sign(-2.5, i)                                | 2.5
scalb(3, 2)                                       | 12.0
scalb(3, 2000)                                    | None
scalb(3, l)                                       | None
multi_match("Hello", n, s)                        | True
multi_match("x", n, s)                            | False
mv_percentile([5, 5, 10, 12, 5000], 50)           | 10
mv_percentile([1, 4], 50)                         | 2
mv_percentile([-4, -1], 50)                       | -3
mv_percentile(floats, 25)                         | 1.875
mv_percentile(floats, 100)                        | 3.0
mv_percentile([9223372036854775804, 9223372036854775807], 50) | 9223372036854775805
mv_percentile(nums, 101)                          | None
mv_percentile(none, 50)                           | None
mv_median_absolute_deviation([0, 2, 5, 6])        | 2
mv_median_absolute_deviation([-3, 0])             | 1
mv_median_absolute_deviation(floats)              | 0.75
mv_pseries_weighted_sum([70.0, 45.0, 21.0, 21.0, 21.0], 1.5) | 94.45465156212452
mv_intersects(mv, ["b", "x"])                     | True
mv_intersects(mv, "x")                            | False
mv_intersects(mv, n)                              | False
mv_difference(mv, "b")                            | ['a', 'a']
mv_difference(mv, n)                              | ['a', 'b', 'a']
mv_difference(mv, mv)                             | None
mv_difference(n, mv)                              | None
s : "Hello"                                       | True
s : "hello"                                       | False
mv : "b"                                          | True
not noip : "10.1.2.3"                             | True
s::string : "Hello"                               | True
ip : "10.0.0.0/8"                                 | True
i : 6                                             | False
match(mv, "a") and not match(s, "a")              | True
match_phrase(s, "Hello") and term(s, "Hello")     | True
qstr("s:Hel* AND NOT noip:*")                     | True
not qstr("s:x OR s:y")                            | True
to_ip("1.2.3.4")                                  | '1.2.3.4'
to_ip("ec2.amazonaws.com")                        | None
"5"::integer + 1                                  | 6
i::double / 2                                     | 3.5

# addresses
cidr_match(ip, "10.0.0.0/8")                      | True
cidr_match(ip, "192.168.0.0/16", "10.1.2.0/24")   | True
cidr_match(ip, "192.168.0.0/16")                  | False
cidr_match(ip6, "2001:db8::/32")                  | True
cidr_match(ip6, "10.0.0.0/8")                     | False
cidr_match(ip, "::/0")                            | True
cidr_match(ip, "::ffff:10.0.0.0/104")             | True
cidr_match(ip, "::/64", "2001:db8::/32")          | True
cidr_match(ip, "::/96")                           | False
cidr_match(ip6, "0.0.0.0/0")                      | False
cidr_match(noip, "10.0.0.0/8")                    | None
not cidr_match(noip, "10.0.0.0/8")                | None
ip_prefix(ip, 24, 0)                              | '10.1.2.0'

# numbers
abs(-3)                                           | 3
abs(-2.5)                                         | 2.5
round(2.5)                                        | 3.0
round(-2.5)                                       | -3.0
round(1.2345, 2)                                  | 1.23
round(155, -1)                                    | 160
ceil(1.2)                                         | 2.0
floor(-1.2)                                       | -2.0
pow(2, 10)                                        | 1024.0
sqrt(9)                                           | 3.0
sqrt(-1)                                          | None
log(2, 8)                                         | 3.0
log10(1000)                                       | 3.0
signum(-5)                                        | -1.0

# multivalues
mv_count(mv)                                      | 3
mv_count(s)                                       | 1
mv_count(n)                                       | None
mv_first(mv)                                      | 'a'
mv_last(nums)                                     | 2
mv_min(nums)                                      | 1
mv_max(nums)                                      | 3
mv_min(ips)                                       | '9.0.0.1'
mv_sum(nums)                                      | 6
mv_avg(nums)                                      | 2.0
mv_median(nums)                                   | 2
mv_median([1, 2])                                 | 1
mv_dedupe(mv)                                     | ['a', 'b']
mv_concat(mv, ", ")                               | 'a, b, a'
mv_concat(s, ", ")                                | 'Hello'
mv_contains(mv, "a")                              | True
mv_contains(mv, ["a", "b"])                       | True
mv_contains(mv, "z")                              | False
mv_contains(n, "a")                               | False
mv_contains(mv, n)                                | True
mv_append(mv, s)                                  | ['a', 'b', 'a', 'Hello']
mv_append(mv, n)                                  | None
mv_slice([1, 2, 3, 4], 1, 2)                      | [2, 3]
mv_slice([1, 2, 3, 4], -2, -1)                    | [3, 4]
mv_slice([1, 2, 3], 1)                            | 2
mv_sort(nums)                                     | [1, 2, 3]
mv_sort(nums, "DESC")                             | [3, 2, 1]
mv_zip(["x", "y"], ["1", "2"], "-")               | ['x-1', 'y-2']
greatest(nums, 2)                                 | 3
'''


def rows():
    for line in TABLE.splitlines():
        if line.strip() and not line.startswith("#"):
            expression, _, expected = line.rpartition(" | ")
            yield expression.strip(), expected.strip()


@pytest.mark.parametrize("expression, expected", list(rows()))
def test_expression_value(expression, expected):
    value, _ = evaluate(expression)
    if (
        isinstance(value, str)
        and value[:1].isdigit()
        and value.endswith("Z")
        and not expected.startswith("'")
    ):
        assert value == expected
    elif isinstance(value, float):
        assert value == pytest.approx(float(expected)) and "." in expected
    else:
        assert repr(value) == expected


@pytest.mark.parametrize(
    "expression, type",
    [
        ("1", "integer"),
        ("2147483648", "long"),
        ("1.0", "double"),
        ("i + l", "long"),
        ("i + d", "double"),
        ("length(s)", "integer"),
        ("null", "null"),
        ("case(no, 1, 2.5)", "double"),
        ("@timestamp", "date"),
        ("source.ip", "ip"),
        ("coalesce(none, l)", "long"),
        ("abs(d)", "double"),
        ("mv_count(mv)", "integer"),
    ],
)
def test_expression_type(expression, type):
    assert evaluate(expression)[1] == type


@pytest.mark.parametrize(
    "expression, column, says",
    [
        ("event.action == 5", 1, "cannot compare keyword with integer"),
        ('i == "x"', 1, "cannot compare integer with keyword"),
        ('ip == "not an address"', 7, '"not an address" is no ip'),
        ('@timestamp > "soon"', 14, '"soon" is no date'),
        ("s + 1", 1, "+ does not work on keyword and integer"),
        ("yes < no", 1, "< does not compare boolean values"),
        ("s and yes", 1, "a condition must be true or false, not keyword"),
        ('evnt.action == "x"', 1, "no column evnt.action here; did you mean event.action?"),
        ('start_with(s, "x")', 1, "no function start_with; did you mean starts_with?"),
        ("count(*)", 1, "count is an aggregate"),
        ("categorize(s)", 1, "the function CATEGORIZE is not supported: it cuts texts"),
        ("st_x(s)", 1, "the function ST_X is not supported: it works on points"),
        ("to_version(s)", 1, "TO_VERSION is not supported: there is no such type here"),
        ("mv_percentile(s, 50)", 15, "argument 1 of mv_percentile must be a number"),
        ('@timestamp - "1 day"', 14, "write a timespan without quotes, such as 1 day"),
        ('"1 day" + @timestamp', 1, "write a timespan without quotes"),
        ("date_trunc(1 month + 1 day, @timestamp)", 12, "not by two of them"),
        ("date_trunc(1 year + 1 month, @timestamp)", 12, "not by two of them"),
        ("date_trunc(1 year + 1 quarter - 2 months, @timestamp)", 12, "not by two of them"),
        ("date_trunc(2 years - 1 month, @timestamp)", 12, "not by two of them"),
        ("date_trunc(1 year - 12 months, @timestamp)", 12, "not by two of them"),
        ("bucket(@timestamp, 1 year + 1 week)", 20, "not by two of them"),
        ("date_trunc(1 day - 2 days, @timestamp)", 12, "must be positive"),
        ("1 day + 1 hour", 1, "+ does not work on date_period and time_duration"),
        ("bucket(i, 0)", 11, "the size of a bucket must not be 0"),
        ("bucket(i, d)", 11, "a number that is written here must stand here"),
        ("bucket(i, 20, 5, 5)", 1, "at least 1 bucket, and from below to"),
        ("bucket(i, 2.5, 1, 5)", 11, "the number of buckets is a whole one"),
        ("bucket(i, 20, 5)", 1, "bucket takes a value and a size"),
        ("bucket(s, 20, 5, 6)", 8, "bucket cuts a date or a number, not keyword"),
        ('bucket(@timestamp, 0, "2025", "2026")', 20, "a whole one, at least 1"),
        ('bucket(@timestamp, 9, @timestamp, "2026")', 23, "a date that is written here"),
        ("round_to(i, none)", 13, "round_to takes constants of the value's type"),
        ('round_to(s, "a")', 13, "round_to takes constants of the value's type"),
        ("trange(5)", 8, "a timespan such as 1 hour must stand here"),
        ("trange(@timestamp, now())", 8, "trange takes constants"),
        ('multi_match("x")', 1, "multi_match takes a constant and the fields"),
        ("to_string(1 day)", 11, "argument 1 of to_string must be a value, not date_period"),
        ('mv_sort(nums, "up")', 15, "the order is ASC or DESC"),
        ('@timestamp > "2026-01-01 00:00:00"', 14, "write it like 2026-03-01"),
        ('match(s, "x", {"operator": "and"})', 15, "options in { } are not supported"),
        ('match("x", s)', 7, "the name of a field must stand here"),
        ("match(s)", 1, "match takes a field and a constant"),
        ('qstr("hello")', 6, "hello names no field"),
        ('qstr("s:\\"x")', 6, "the string is not closed"),
        ('kql("x")', 5, "x names no field"),
        ("kql(s)", 1, "kql takes one string"),
        ("length(i)", 8, "argument 1 of length must be a keyword, not integer"),
        ("substring(s)", 1, "substring takes 2 to 3 arguments, not 1"),
        ("length()", 1, "length takes 1 argument, not 0"),
        ("date_trunc(1 fortnight, @timestamp)", 12, "no unit of time fortnight"),
        ("date_trunc(s, @timestamp)", 12, "a timespan such as 30 seconds must stand here"),
        ("date_trunc(0 seconds, @timestamp)", 12, "must be positive"),
        ('case(yes, 1, "a")', 1, "the values of case have different types"),
        ('i like "x"', 1, "like looks at text, not integer"),
        ('s rlike "a&b"', 1, "intersection (&) is not supported"),
        ('s rlike "(a"', 1, "a ) is missing"),
        ('s rlike "a{2000}"', 1, "rlike: the pattern is too large"),
        ('replace(s, """(l)\\1""", "L")', 12, "replace: a back-reference is not supported"),
        ('replace(s, "(?=ll)", "L")', 12, "look-around of more than one character"),
        ('replace(s, "(", "L")', 12, "no regular expression"),
        ("i::version", 1, "no type version"),
        ('s == "\\d"', 6, "no such escape"),
        ("s == 'x'", 6, "double quotes"),
        ('s = "x"', 3, "use =="),
        ("s : none", 5, "one constant must stand here"),
        ('length(s) : "x"', 1, "the name of a field must stand here"),
        ("s == ?name", 6, "parameters"),
        ('s == "x" && yes', 10, "&& is not an operator; use and"),
        ('s like "a%" escape "!"', 13, "unexpected escape; expected an operator"),
        ("s ==", 5, "expected an expression"),
        ('(s == "x"', 10, "expected"),
    ],
)
def test_refusal_has_its_column(expression, column, says):
    with pytest.raises(EsqlError) as caught:
        evaluate(expression)
    assert says in caught.value.message
    assert (caught.value.line, caught.value.column) == (1, column)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_function_that_is_not_here_is_refused_with_its_reason(name):
    with pytest.raises(EsqlError) as caught:
        evaluate(f"{name}(s)")
    assert f"the function {name.upper()} is not supported: " in caught.value.message


@pytest.mark.parametrize(
    "spelling",
    [
        'STARTS_WITH(s, "H") AND NOT no',
        'Starts_With(s, "H") and not no',
        'starts_with ( s , "H" ) And Not no',
        '/* why */ starts_with(s, // because\n "H") and not no',
        '`s` == "Hello"',
        'starts_with(s, """H""")',
        '"say \\"x\\"" == """say "x""""',
        '"a\\tb" != """a\\tb"""',
    ],
)
def test_spelling_is_free(spelling):
    assert evaluate(spelling)[0] is True


@pytest.mark.parametrize(
    "unit, milliseconds",
    [
        ("ms", 1),
        ("millisecond", 1),
        ("s", 1000),
        ("sec", 1000),
        ("seconds", 1000),
        ("m", 60_000),
        ("min", 60_000),
        ("minutes", 60_000),
        ("h", 3_600_000),
        ("hours", 3_600_000),
        ("d", 86_400_000),
        ("day", 86_400_000),
        ("w", 604_800_000),
        ("weeks", 604_800_000),
    ],
)
def test_unit_of_time(unit, milliseconds):
    assert evaluate(f"to_long(@timestamp + 2 {unit}) - to_long(@timestamp)")[0] == 2 * milliseconds
    assert evaluate(f"to_long(@timestamp + 2{unit}) - to_long(@timestamp)")[0] == 2 * milliseconds


@pytest.mark.parametrize(
    "value, mapped",
    [
        ("1", 1),
        (["1", "x", "3", "0", "5"], [1, 3, 5]),
        (["x", "0", "3"], 3),
        (["x", "0"], None),
    ],
)
def test_values_that_give_none_are_left_out(value, mapped):
    """Wherever they are: "x" raises an error, and "0" gives null."""
    assert _map_values(lambda text: int(text) or None)(value) == mapped
