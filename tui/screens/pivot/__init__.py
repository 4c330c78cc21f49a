"""A pivot and the raw record."""
