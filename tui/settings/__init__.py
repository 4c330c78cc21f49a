"""The analyst's settings: configuration, saved views, session, theme."""
