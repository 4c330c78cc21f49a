"""Work that runs concurrently with the event loop."""
