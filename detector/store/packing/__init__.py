"""Packed events: segments, and the identities in them."""
