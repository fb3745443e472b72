"""A .keras or .h5 file to a FLOAT graph."""
