"""What analysts decide, with undo."""
