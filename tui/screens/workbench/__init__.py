"""The workbench, which compares a rule with variants, and explanations of rules."""
