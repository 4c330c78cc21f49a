"""Rule files in Elastic's form: loaded, compiled, dispatched to records."""
