"""Sinks: where alerts are sent as they appear. Nothing is sent but to what the user named."""
