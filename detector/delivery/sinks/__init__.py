"""Sinks: destinations for alerts as they appear. Only destinations that the user named are used."""
