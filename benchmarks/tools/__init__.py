"""Small complete programs with which trailhound is compared."""
