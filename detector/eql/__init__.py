"""EQL, Elastic's Event Query Language, read into the one syntax tree."""
