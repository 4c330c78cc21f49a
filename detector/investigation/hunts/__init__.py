"""Hunts: their queries in several languages, what is offered while one types, and runs."""
