"""Optional native code that cuts and sums chunks; results are the same without it."""
