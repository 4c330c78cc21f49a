"""The analyst's decisions and texts: notes, suppressions, watches, hunts and their exports."""
