"""The cut in native code: optional, and the same answers without it."""
