"""Backfill: hunt months of an organization's trail on an engine that its owner has."""
