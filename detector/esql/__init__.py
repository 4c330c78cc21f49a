"""The query languages, which share one syntax tree and are compiled to closures."""
