"""What AWS writes: records, regions, object keys, digest files."""
