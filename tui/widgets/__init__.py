"""Widgets that draw log data.

Each takes plain values and makes them visible itself, and knows nothing of screens or stores.
"""
