"""Apache Spark: the digest step on a cluster, and loading its results into a state."""
