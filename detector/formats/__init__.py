"""Bytes -> records, whatever the container and wrapper. Everything that is not read has a reason.

``containers`` undoes compression and cuts a file into chunks; ``records`` finds the records in a chunk.
"""

from detector.formats.chunks import Chunk, read_chunks
from detector.formats.errors import Incomplete, NotALog, Reason, Unreadable
from detector.formats.records import RawRecords, Records, parse_records, split_records

__all__ = [
    "Chunk",
    "Incomplete",
    "NotALog",
    "RawRecords",
    "Reason",
    "Records",
    "Unreadable",
    "parse_records",
    "read_chunks",
    "split_records",
]
