"""Sources of CloudTrail files: directories, buckets, queues and standard input."""
