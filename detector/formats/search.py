"""Searches a JSON text for records, wherever they are.

A record is recognized by its own shape (``record_shape``), not by its wrappers: objects, arrays,
texts, base64. If several members of an object contain records, objects and arrays take precedence
over texts: a text inside a record, such as a user agent, may have been crafted to look like one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator

import msgspec

from detector.cloudtrail.record import Head, loads
from detector.formats.decompress import Budget
from detector.formats.foreign.foreign_schemas import (
    ecs_originals,
    from_ecs,
    from_ocsf,
    is_ecs,
    ocsf_originals,
)
from detector.formats.foreign.known_documents import skip_reason_of
from detector.formats.heads.completeness import is_complete
from detector.formats.items import Item, NonRecord, ParsedRecord, without_copies
from detector.formats.json_spans import (
    decode_string,
    has_tiny_parts,
    split_elements,
    split_members,
)
from detector.formats.packed_text import unpack_text
from detector.formats.record_shape import (
    Missing,
    is_field,
    prefix_of_record,
    read_shape,
    without_types,
)
from detector.formats.tables.json_table import begins_table, rows_of_array, rows_of_object
from detector.formats.text_forms import BLANK, contains_json, json_values, struct_json
from detector.formats.values import RECORD_CAP, JsonObject, as_object, squash
from detector.text.late_pattern import late_pattern
from detector.text.time import parse_time

NESTING_CAP = 12
"""The greatest number of nested wrappers."""
_HINT = late_pattern(
    rb"amazonaws|event[._ ]?(?:[Ss]ource|[Nn]ame|json|Json)|Event ?(?:Source|Name)|EVENT|"
    rb"AwsApiCall|CloudTrail|cloudtrail|messageType|Notification|[A-Za-z0-9+/_-]{64}|"
    rb"\[\s*123,\s*(?:34|10|13|32),"
)
"""Matches somewhere in every text with records: plain, in base64 or as byte values."""
_BYTES = late_pattern(rb"\[\s*123\s*,[\d\s,]+\]")
_head_decoder = msgspec.json.Decoder(Head)

Members = dict[str, bytes]


def unwrap(data: bytes, budget: Budget) -> Iterator[Item]:
    """Yield the records in a text of JSON values, or in the data packed in it.

    Raises json.JSONDecodeError or RecursionError if the text itself is not JSON; a damaged value
    within is rejected separately. Raises Unreadable if it unpacks to more than ``budget``.
    """
    search = _Search(budget)
    try:
        values, is_all = json_values(data)
    except json.JSONDecodeError:
        items = search.packed(data)
        if not items:
            raise
        yield from items
        return
    if is_all:
        for value in _without_scalars(values):
            yield from search.value(value)
    else:
        # The other text may contain JSON, too, such as a container's tags.
        yield from search.find_any(values) or (ParsedRecord(values[-1]),)


def unwrap_elements(elements: Iterable[bytes], budget: Budget) -> Iterator[Item]:
    """Yield the records in the elements of an array.

    Raises Unreadable if they unpack to more than ``budget``.
    """
    elements = iter(elements)
    start = list(itertools.islice(elements, 2))
    if begins_table(start):
        return _Search(budget).elements(rows_of_array([*start, *elements]))
    return _Search(budget).elements(itertools.chain(start, elements))


class _Search:
    """Searches one text; a budget limits the bytes that its compressed parts unpack to."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def elements(self, elements: Iterable[bytes]) -> Iterator[Item]:
        """Yield the records in each element; an element without any is yielded itself, to be
        counted."""
        for element in elements:
            yield from self.value(element)

    def packed(self, text: bytes) -> list[Item]:
        """Return the records in a text that encodes them, e.g. in base64."""
        data = unpack_text(text.strip(BLANK), self._budget)
        return self._in_text(data, 1) if data else []

    def find_any(self, values: Iterable[bytes]) -> list[Item]:
        """Return the records in values; values without any are ignored."""
        return self._in_values(values, 0)

    def value(self, value: bytes) -> Iterable[Item]:
        """Return the records in a value; if it has none, the value or its elements, to be
        counted."""
        items = self._find(value, 0)
        if not items and value[:1] == b"[" and value[1:-1].strip(BLANK):
            return [ParsedRecord(element) for element in split_elements(value)]
        if not items and value[:1] == b'"':
            return (NonRecord("rejected", "not-json"),)
        return items or (ParsedRecord(value),)

    def _find(self, value: bytes, depth: int) -> list[Item]:
        """Return the records in a value that is nested in ``depth`` wrappers."""
        opening = value[:1]
        if opening == b"{":
            record = _plain_record(value)
            if record is not None:
                return [record]
        if opening not in (b"{", b"[", b'"') or _HINT.search(value) is None:
            return _known_document(value) if opening == b"{" else []
        if depth > NESTING_CAP:
            return [NonRecord("rejected", "nested-too-deep")]
        if has_tiny_parts(value, b","):
            return [NonRecord("rejected", "too-large")]
        try:
            return self._FINDERS[opening](self, value, depth)
        except RecursionError:
            return [NonRecord("rejected", "nested-too-deep")]
        except json.JSONDecodeError:
            return [NonRecord("rejected", "not-json")]

    def _in_array(self, array: bytes, depth: int) -> list[Item]:
        if _BYTES.fullmatch(array):
            return self._in_bytes(array, depth)
        elements = split_elements(array)
        entries = _entries(elements, array)
        if entries is not None:
            items = self._find(entries, depth)
            if items:
                return items
        rows = rows_of_array(elements)
        if rows:
            return self._in_rows(rows, depth)
        by_element = [self._find(element, depth + 1) for element in elements]
        if not any(by_element):
            return []
        return [
            item
            for element, items in zip(elements, by_element, strict=True)
            for item in items or _counted_as_none(element)
        ]

    def _in_bytes(self, array: bytes, depth: int) -> list[Item]:
        """Return the records in a text that is written as an array of byte values."""
        try:
            return self._in_text(bytes(loads(array)), depth + 1)
        except ValueError:
            return []

    def _in_rows(self, rows: Iterable[bytes], depth: int) -> list[Item]:
        """Return the record in each row of a table; a row without one itself, to be counted."""
        return [item for row in rows for item in self._find(row, depth + 1) or (ParsedRecord(row),)]

    def _in_string(self, value: bytes, depth: int) -> list[Item]:
        return self._in_text(decode_string(value).strip(BLANK), depth)

    def _in_text(self, text: bytes, depth: int) -> list[Item]:
        """Return the records in a text: in its JSON values, its lines, or the data it encodes."""
        try:
            return self._in_values(json_values(text).values, depth)
        except json.JSONDecodeError:
            pass
        data = unpack_text(text, self._budget)
        if data is not None:
            return self._in_text(data, depth + 1) if depth < NESTING_CAP else []
        if text[:1] == b"{" and b"=" in text and len(text) <= RECORD_CAP:
            return self._find(struct_json(text), depth + 1)
        if b"\n" not in text or not contains_json(text):
            return []
        if has_tiny_parts(text, b"\n"):
            return [NonRecord("rejected", "too-large")]
        items: list[Item] = []
        for line in text.split(b"\n"):
            try:
                items += self._in_values(json_values(line).values, depth)
            except json.JSONDecodeError:
                if line.strip(BLANK):
                    items.append(NonRecord("rejected", "not-json"))
        if not any(isinstance(item, ParsedRecord) for item in items):
            return []
        return items

    def _in_values(self, values: Iterable[bytes], depth: int) -> list[Item]:
        return [item for value in values for item in self._find(value, depth + 1)]

    def _in_object(self, value: bytes, depth: int) -> list[Item]:
        members = split_members(value)
        reason = skip_reason_of(members)
        if reason == "bulk-action":
            return self._in_members(members, depth) or [NonRecord("skipped", reason)]
        if reason is not None:
            return [NonRecord("skipped", reason)]
        if "detail-type" in members and "detail" in members:
            items = self._find(members["detail"], depth + 1)
            if items:
                items.insert(0, NonRecord("noted", "eventbridge"))
            return items
        translated = self._in_foreign_schema(members, value, depth)
        if translated:
            return translated
        rows = rows_of_object(members)
        if rows:
            return self._in_rows(rows, depth)
        prefix = prefix_of_record({squash(name) for name in members})
        if prefix is None:
            return (
                self._in_members(members, depth)
                or _nested_record(members, value)
                or _typed_record(members, value)
            )
        if len(value) > RECORD_CAP:
            return [NonRecord("rejected", "too-large")]
        # A row may have the whole record in addition to some of its fields.
        others = {name: inner for name, inner in members.items() if not is_field(name, prefix)}
        whole = [item for item in self._in_members(others, depth) if isinstance(item, ParsedRecord)]
        return [*whole] or [_read_record(loads(value), value, prefix)]

    def _in_members(self, members: Members, depth: int) -> list[Item]:
        """Return the records in the members of an object, without duplicates."""
        for openings in (b"{[", b'"'):
            groups = [
                self._find(inner, depth + 1)
                for inner in members.values()
                if inner[:1] in openings  # one byte, or none
            ]
            groups = [items for items in groups if items]
            if groups:
                return list(without_copies(groups))
        return []

    def _in_foreign_schema(self, members: Members, value: bytes, depth: int) -> list[Item]:
        """Return the record of an ECS or OCSF document: from its original, or else its fields."""
        translate: Callable[[JsonObject], JsonObject]
        if is_ecs(members):
            originals, translate = ecs_originals, from_ecs
        elif {"api", "metadata"} <= members.keys():
            originals, translate = ocsf_originals, from_ocsf
        else:
            return []
        document: JsonObject = loads(value)
        for text in originals(document):
            if isinstance(text, str) and text.lstrip()[:1] in ("{", "["):
                items = self._in_string(msgspec.json.encode(text), depth)
                if items:
                    return items
        record = translate(document)
        if not record.get("eventName") and not record.get("eventSource"):
            return []
        return [_read_record(record, value, is_renamed=True)]

    _FINDERS: dict[bytes, Callable[[_Search, bytes, int], list[Item]]] = {
        b"{": _in_object,
        b"[": _in_array,
        b'"': _in_string,
    }


def _plain_record(value: bytes) -> Item | None:
    """Return a complete record in CloudTrail's own form; None for any other object.

    Most objects are such records, and their heads are needed anyway.
    """
    try:
        head = _head_decoder.decode(value)
    except RecursionError:
        if _looks_plain(value):
            return NonRecord("rejected", "nested-too-deep")
        return None
    except ValueError:
        return None
    if not is_complete(head) or parse_time(head.event_time) is None:
        return None
    if len(value) > RECORD_CAP:
        return NonRecord("rejected", "too-large")
    return ParsedRecord(value, head=head)


def finds_itself(raw: bytes) -> bool:
    """Return whether the search for records finds exactly this record, unchanged."""
    (item, *others) = _Search(Budget(RECORD_CAP)).value(raw)
    is_itself = isinstance(item, ParsedRecord) and item.raw == raw and item.translated is None
    return is_itself and not others


def _looks_plain(value: bytes) -> bool:
    try:
        return {"eventSource", "eventName"} <= split_members(value).keys()
    except json.JSONDecodeError:
        return False


def _read_record(
    record: JsonObject, raw: bytes, prefix: str = "", is_renamed: bool = False
) -> Item:
    """Read an object as a record in CloudTrail's names; reject it if a required field is
    missing."""
    shape = read_shape(record, prefix, is_renamed)
    if isinstance(shape, Missing):
        return NonRecord("rejected", shape.reason)
    if shape.is_changed:
        return ParsedRecord(raw, msgspec.json.encode(shape.record))
    return ParsedRecord(raw)


def _nested_record(members: Members, value: bytes) -> list[Item]:
    """Read an object as a record whose fields are spread over nested objects, if it is one."""
    names = {
        squash(name + inner_name)
        for name, inner in members.items()
        if inner[:1] == b"{"
        for inner_name in split_members(inner)
    }
    if prefix_of_record({*map(squash, members), *names}) != "":
        return []
    return [_read_record(loads(value), value)]


def _typed_record(members: Members, value: bytes) -> list[Item]:
    """Read an object as a record whose names have type suffixes, if it is one."""
    names = without_types(members)
    if prefix_of_record(set(map(squash, names.values()))) != "":
        return []
    record = loads(value)
    return [_read_record({names[name]: inner for name, inner in record.items()}, value, "", True)]


def _without_scalars(values: list[bytes]) -> list[bytes]:
    """Drop numbers and words that share a line with objects, such as cells of a table."""
    if len(values) == 1:
        return values
    return [value for value in values if value[:1] in (b"{", b"[", b'"')] or values


def _counted_as_none(element: bytes) -> Iterable[Item]:
    """Return an array's element, to be counted, if it is in the place of a record; else nothing."""
    if element[:1] in (b"{", b"[") or element[1:2] in (b"{", b"["):
        return (ParsedRecord(element),)
    return ()


def _known_document(value: bytes) -> list[Item]:
    try:
        reason = skip_reason_of(split_members(value))
    except (json.JSONDecodeError, RecursionError):
        return []
    if reason is None:
        return []
    return [NonRecord("skipped", reason)]


def _entries(elements: list[bytes], array: bytes) -> bytes | None:
    """Return the object that an array of entries represents; None for any other array."""
    if not elements or len(elements) > 512 or len(elements[0]) > RECORD_CAP:
        return None
    if elements[0][:1] == b"{":
        parts = len(split_members(elements[0]))
    elif elements[0][:1] == b"[":
        parts = len(split_elements(elements[0]))
    else:
        return None
    if parts > 3:
        return None
    value = loads(array)
    entries = as_object(value)
    if entries is value:
        return None
    return msgspec.json.encode(entries)
