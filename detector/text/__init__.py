"""Text helpers independent of logs: escaping, Markdown, CSV, suggestions, times, files."""
