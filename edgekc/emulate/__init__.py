"""A packed model and samples to outputs in three ways, and to the first byte in which two of them differ."""
