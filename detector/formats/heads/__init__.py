"""What the heads of records say, known from chunk to chunk."""
