"""The workbench: what a rule would find with other thresholds, and why it does or does not fire."""
