"""Work that runs beside the event loop."""
