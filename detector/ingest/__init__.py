"""The pipeline from sources through digest to the store, once or live."""
