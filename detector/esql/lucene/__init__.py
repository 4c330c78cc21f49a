"""Lucene's query language, as Elasticsearch's ``query_string`` reads it."""
