"""What screens share about hunts."""
