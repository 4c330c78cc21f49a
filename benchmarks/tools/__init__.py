"""Small whole programs that trailhound is compared with."""
