"""The steps of a recipe that need no training, one file each: the keys of a table, and what it does to a model."""
