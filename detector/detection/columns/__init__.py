"""Events as columns, and which of them are known."""
