"""The commands, one module each with ``run(args)``, which returns the exit status."""
