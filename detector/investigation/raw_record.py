"""The raw record behind an event, read again from the file that it came from."""

from __future__ import annotations

import contextlib

from detector.cloudtrail.record import event_id
from detector.detection.event import Event
from detector.formats import Unreadable, parse_records, read_chunks
from detector.sources.open_file import open_file
from detector.sources.source import Unavailable


class EvidenceGone(Exception):
    """The record cannot be read any more; one line says why."""


def raw_record(event: Event) -> bytes:
    """The record's own bytes, exactly as the log has them. Raises EvidenceGone.

    Of a wrapped record these are the inner record's bytes where they stand as JSON, or the text
    that the wrapper's string says; of a record in others' names (Athena, ECS, OCSF) the document as
    it stands; of a table's row its JSON."""
    source, offset, index = event.position.source, event.position.offset, event.position.index
    try:
        with open_file(source) as file, contextlib.closing(read_chunks(file, offset)) as them:
            records = parse_records(next(them))
            raw = records.raw(index)
        if event_id(records.record(index), records.canonical(index)) != event.event_id:
            raise ValueError
    except FileNotFoundError:
        raise EvidenceGone(f"{source}: the file is gone; put it back to see the record") from None
    except Unavailable as error:
        raise EvidenceGone(f"{source}: {error.strerror}") from None
    except OSError as error:
        raise EvidenceGone(
            f"{source}: {error.strerror}: allow reading it to see the record"
        ) from None
    except (Unreadable, IndexError, StopIteration, ValueError, RecursionError):
        raise EvidenceGone(
            f"{source}: the file has changed and no longer holds this record there"
        ) from None
    return raw
