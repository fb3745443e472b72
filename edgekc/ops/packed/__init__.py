"""Operators that compute on compressed weights: clustered, and on template kernels."""
