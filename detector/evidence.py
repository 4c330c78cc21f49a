"""The raw record behind an event, read again from the file that it came from."""

from __future__ import annotations

from detector.alert import Event
from detector.formats import Unreadable, chunks, parse
from detector.record import event_id


class EvidenceGone(Exception):
    """The record cannot be read any more; one line says why."""


def raw_record(event: Event) -> bytes:
    """The record's own bytes, exactly as the log has them. Raises EvidenceGone."""
    source, offset, index = event.position.source, event.position.offset, event.position.index
    try:
        with open(source, "rb") as file:
            chunk = next(chunks(file, offset))
        records = parse(chunk)
        raw = records.raw(index)
        if event_id(records.record(index), raw) != event.event_id:
            raise EvidenceGone(f"{source}: the file has changed and no longer holds this record there")
    except FileNotFoundError:
        raise EvidenceGone(f"{source}: the file is gone; put it back to see the record") from None
    except OSError as error:
        raise EvidenceGone(f"{source}: {error.strerror}: allow reading it to see the record") from None
    except (Unreadable, IndexError, StopIteration, ValueError):
        raise EvidenceGone(f"{source}: the file has changed and no longer holds this record there") from None
    return raw
