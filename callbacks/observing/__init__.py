"""One step seen without changing it."""
