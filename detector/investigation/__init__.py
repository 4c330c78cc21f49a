"""Investigation of alerts in the logs: pivots, guides, hunts, case files."""
