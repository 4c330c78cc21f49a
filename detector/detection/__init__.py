"""From records to alerts: events, windows, digest, derivation, context."""
