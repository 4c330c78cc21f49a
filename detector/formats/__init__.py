"""Turns bytes into records, whatever the container and wrapper.

``containers`` undoes compression, ``chunks`` cuts a file into chunks, and ``records`` finds the
records in a chunk. Everything that is not read is reported with a reason.
"""

from detector.formats.chunks import Chunk, read_chunks, unpack_small_document
from detector.formats.documents import can_parse_documents, parse_documents
from detector.formats.errors import Incomplete, NotALog, Reason, Unreadable
from detector.formats.heads.known_heads import KnownHeads
from detector.formats.records import RawRecords, RecordGroups, Records, parse_records

__all__ = [
    "Chunk",
    "Incomplete",
    "KnownHeads",
    "NotALog",
    "RawRecords",
    "Reason",
    "RecordGroups",
    "Records",
    "Unreadable",
    "can_parse_documents",
    "parse_documents",
    "parse_records",
    "read_chunks",
    "unpack_small_document",
]
