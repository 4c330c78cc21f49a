"""Backfill: hunts over months of an organization's trail, on an engine that its owner runs."""
