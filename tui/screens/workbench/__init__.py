"""The workbench: a rule beside its variants, and explanations."""
