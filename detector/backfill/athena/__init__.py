"""Amazon Athena: a table over a trail, and UNLOADs of selected calls from it."""
