"""What the screens show, and what they may ask for."""
