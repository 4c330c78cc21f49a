"""From an alert back to the logs: pivots, guides, hunts, raw records, case files."""
