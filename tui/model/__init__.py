"""The data that screens show, and the operations that screens may request."""
