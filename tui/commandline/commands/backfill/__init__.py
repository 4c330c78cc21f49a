"""``trailhound backfill``: one module for each engine."""
