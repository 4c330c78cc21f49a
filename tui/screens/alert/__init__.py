"""One alert: panes, guide, region board, calendar, escalation."""
