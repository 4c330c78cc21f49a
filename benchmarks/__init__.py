"""Benchmarks of speed, size and latency, partly as ratios to other tools."""
