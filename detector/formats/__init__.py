"""Bytes -> records, whatever the container and wrapper. Everything that is not read has a reason.

``containers`` undoes compression and cuts a file into chunks; ``records`` finds the records in a chunk.
"""

from detector.formats.chunks import Chunk, read_chunks
from detector.formats.errors import Incomplete, NotALog, Reason, Unreadable
from detector.formats.records import Records, Rows, parse, rows

__all__ = [
    "Chunk",
    "Incomplete",
    "NotALog",
    "Reason",
    "Records",
    "Rows",
    "Unreadable",
    "parse",
    "read_chunks",
    "rows",
]
