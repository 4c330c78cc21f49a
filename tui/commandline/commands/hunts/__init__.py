"""Commands over hunts: the records, and runs of their queries."""
