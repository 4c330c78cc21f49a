"""What leaves: exports of lists, forms of other tools, and sinks."""
