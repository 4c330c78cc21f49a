"""Events in columnar form, and a set of known identities."""
