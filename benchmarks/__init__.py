"""Benchmarks of speed, size and latency, as ratios to other tools."""
