"""Elastic's view of a CloudTrail record: ECS fields and their values."""
