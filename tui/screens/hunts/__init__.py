"""The hunt screens: the list of hunts, one hunt, and one query with its rows."""
