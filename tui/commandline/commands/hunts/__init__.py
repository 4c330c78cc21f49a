"""Commands for hunts: their records, and runs of their queries."""
