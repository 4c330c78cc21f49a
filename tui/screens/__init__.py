"""One file a screen; ``base`` holds what they share, ``forms`` the questions that open over them."""
