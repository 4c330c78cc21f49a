"""Text helpers without knowledge of logs: visible escapes, Markdown, suggestions, times."""
