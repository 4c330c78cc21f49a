"""Forms, which open over a screen."""
