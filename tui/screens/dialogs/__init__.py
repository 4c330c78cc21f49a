"""The palette, help and the output of a command."""
