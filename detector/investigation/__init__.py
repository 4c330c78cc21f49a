"""Investigate an alert in the logs: pivots, guides, hunts, case files."""
