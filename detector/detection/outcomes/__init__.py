"""What rules say of records that are alike."""
