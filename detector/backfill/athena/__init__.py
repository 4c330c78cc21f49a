"""Amazon Athena: a table over a trail, and the calls that are unloaded from it."""
