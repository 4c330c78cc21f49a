"""What the analyst sets and keeps: configuration, saved views, session."""
