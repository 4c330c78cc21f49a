"""Elastic's view of a record: ECS fields and their values."""
