"""How fast, how small and how prompt trailhound is: ratios to other tools, side by side in one run."""
