"""The outcomes of rules, cached for records that are alike."""
