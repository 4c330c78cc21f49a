"""Tables of the user's that ENRICH and LOOKUP JOIN read."""
