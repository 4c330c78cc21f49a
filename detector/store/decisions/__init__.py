"""The decisions of analysts, with undo."""
