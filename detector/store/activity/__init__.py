"""The activity of principals in a state."""
