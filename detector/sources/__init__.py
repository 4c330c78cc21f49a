"""The sources of CloudTrail files: directories, buckets, queues, standard input."""
