"""Output to other programs: list exports, formats of other tools, and sinks."""
