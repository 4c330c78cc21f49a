"""Apache Spark: the same digest on a cluster, and the load of its result into a state."""
