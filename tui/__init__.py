"""The front ends of the core: the command line and the app."""
