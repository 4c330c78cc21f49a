"""Migrations that are too long for the list in ``schema``."""
