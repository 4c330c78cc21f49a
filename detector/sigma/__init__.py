"""Compiles Sigma rules, correlations and filters to the syntax tree shared by all languages."""
