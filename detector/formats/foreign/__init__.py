"""What other tools write: records under other names, and documents that hold none."""
