"""The rows of log files, of which many are packed into one database row."""
