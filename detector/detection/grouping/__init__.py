"""Groups the events of a chunk by the common parts of their signatures."""
