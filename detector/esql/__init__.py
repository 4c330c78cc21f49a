"""The query languages, ES|QL and KQL, read into one syntax tree and compiled to closures."""
