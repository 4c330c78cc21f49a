"""The workbench: what a rule would find with other thresholds, and why it finds what it does."""
