"""What ``native`` does with the bytes of records, by decoding them: where there is no library, and
for records in wrappers."""
