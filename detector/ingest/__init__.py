"""The pipeline that reads files from sources, digests them and commits the results to the store."""
