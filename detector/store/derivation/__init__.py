"""From windows to alerts: which are derived, and what is written."""
