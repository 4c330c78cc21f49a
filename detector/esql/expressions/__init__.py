"""Compile expressions to closures over rows."""
