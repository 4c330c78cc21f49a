"""Migrations that are too long to stand in the list of all."""
