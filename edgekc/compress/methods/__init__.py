"""Weights to the arrays of a compressed form, one method a file: codebook, cluster, svd, dominant, prune, gap."""
