"""The signals near alerts."""
