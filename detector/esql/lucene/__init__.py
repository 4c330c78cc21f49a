"""Lucene's query language, as Elasticsearch's ``query_string`` interprets it."""
