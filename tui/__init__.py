"""trailhound's two front ends over one core: the command line and the terminal app."""
