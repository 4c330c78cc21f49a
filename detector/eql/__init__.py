"""Parses EQL, Elastic's Event Query Language, into the syntax tree shared with ES|QL."""
