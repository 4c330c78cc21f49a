"""Files of other tools: records under other names, and documents without records."""
