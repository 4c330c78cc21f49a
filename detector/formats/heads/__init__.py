"""The heads of records, remembered from chunk to chunk."""
