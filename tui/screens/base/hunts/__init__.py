"""Actions on hunts that several screens share."""
