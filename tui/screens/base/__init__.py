"""The base classes and shared parts of screens."""
