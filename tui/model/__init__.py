"""What the screens show and what they may ask for, apart from how it is drawn."""
