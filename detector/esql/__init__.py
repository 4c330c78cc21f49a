"""The query languages, on one syntax tree, compiled to closures."""
