"""What the analyst decides and writes: notes, suppressions, exports."""
