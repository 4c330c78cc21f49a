"""Widgets that draw log data. Each takes plain values, escapes them itself, and knows nothing of screens or stores."""
