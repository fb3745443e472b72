"""Budgets and a float model to a packed one: what is tried, what it costs, and which of it is kept."""
