"""Families of C kernels: what each accepts, needs and costs."""
