"""What AWS writes: records, regions, object keys, digest files, user agents of tools."""
