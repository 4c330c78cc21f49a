"""The table of segments."""
