"""The list of alerts and its timeline."""
