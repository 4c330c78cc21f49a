"""The user's lookup tables, which ENRICH and LOOKUP JOIN read."""
