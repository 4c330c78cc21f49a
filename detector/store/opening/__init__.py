"""How a state is opened: the ingest lock, the connections, and the author of decisions."""
