"""The events of a chunk, by what their signatures have in common."""
