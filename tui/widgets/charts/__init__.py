"""Widgets that draw time and regions: histograms, heat strips, calendars, boards."""
