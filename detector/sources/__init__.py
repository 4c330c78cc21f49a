"""Where CloudTrail files are found, and how each is read from where it was left."""
