"""AWS's data: CloudTrail records, regions, object keys and digest files."""
