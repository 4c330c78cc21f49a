"""Reads the raw record behind an event again from its file."""

from __future__ import annotations

import contextlib

from detector.cloudtrail.record import event_id
from detector.detection.event import Event
from detector.formats import Unreadable, parse_records, read_chunks
from detector.sources.open_file import open_file
from detector.sources.source import Unavailable


class EvidenceGone(Exception):
    """A record cannot be read again; the message is one line."""


def raw_record(event: Event) -> bytes:
    """Return the record's bytes exactly as in the log.

    For a wrapped record, the inner record's bytes or the text of the wrapper's string; for a
    foreign schema (Athena, ECS, OCSF), the whole document; for a table row, its JSON. Raises
    EvidenceGone."""
    source, offset, index = event.position.source, event.position.offset, event.position.index
    try:
        with open_file(source) as file, contextlib.closing(read_chunks(file, offset)) as chunks:
            records = parse_records(next(chunks))
            raw = records.raw(index)
        if event_id(records.record(index), records.canonical(index)) != event.event_id:
            raise ValueError
    except FileNotFoundError:
        raise EvidenceGone(f"{source}: the file is gone; restore it to see the record") from None
    except Unavailable as error:
        raise EvidenceGone(f"{source}: {error.strerror}") from None
    except OSError as error:
        raise EvidenceGone(
            f"{source}: {error.strerror}: allow reading it to see the record"
        ) from None
    except (Unreadable, IndexError, StopIteration, ValueError, RecursionError):
        raise EvidenceGone(
            f"{source}: the file has changed; the record is no longer at this offset"
        ) from None
    return raw
