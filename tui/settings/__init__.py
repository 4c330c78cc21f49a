"""What the analyst sets and saves: configuration, saved views, session, theme."""
