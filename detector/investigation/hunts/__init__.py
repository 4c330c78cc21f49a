"""Hunts: queries in several languages, completion while typing, and runs."""
