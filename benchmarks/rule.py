"""Thresholds of the reference rule; this module imports nothing of the product."""

REFERENCE = "393ef120-63d1-11ef-8e38-f661ea17fbce"
WINDOW = 30
"""Seconds, aligned to the clock."""
NEEDED = 10
"""Regions within a window."""
