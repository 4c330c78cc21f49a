"""The tables of what analysts decide, with history and undo."""
