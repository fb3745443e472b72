"""Operators that compute in single precision: what an int8 model has in float, and --allow-float lets through."""
