"""Coverage-guided fuzzing of what reads hostile input: formats, rules, and what makes text safe to show."""
