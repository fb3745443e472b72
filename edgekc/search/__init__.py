"""Budgets in, a model out: what is tried, what it costs, and which of it is kept."""
