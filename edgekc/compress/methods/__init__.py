"""Compression methods, one file each: codebook, cluster, second_order, lowrank, dominant, prune, gap."""
