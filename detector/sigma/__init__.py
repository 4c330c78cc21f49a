"""Sigma: rules, correlations and filters, read into the syntax tree of all query languages."""
