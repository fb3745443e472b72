"""Random networks to the bytes in which two of all that computes them differ: `edgekc fuzz`, and tests' sweeps."""
