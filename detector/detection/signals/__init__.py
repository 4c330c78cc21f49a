"""Finds and indexes the signals near alerts."""
