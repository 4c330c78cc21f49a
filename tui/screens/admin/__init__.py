"""Sources, rules, suppressions and the hunt log."""
