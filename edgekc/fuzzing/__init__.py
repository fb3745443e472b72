"""Random networks, and all that must compute the same bytes of them: of `edgekc fuzz`, and of the tests' sweeps."""
