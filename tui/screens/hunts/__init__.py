"""Hunts: the list of them, one hunt, one query with its rows."""
