"""Bytes -> records, whatever the container and wrapper. Everything that is not read has a reason.

``containers`` undoes compression and cuts a file into chunks; ``records`` finds the records in a chunk.
"""

from detector.formats.containers import Chunk, Incomplete, NotALog, Reason, Unreadable, chunks
from detector.formats.records import Records, parse

__all__ = ["Chunk", "Incomplete", "NotALog", "Reason", "Records", "Unreadable", "chunks", "parse"]
