"""A packed graph to C: kernels chosen, buffers placed, sources written."""
