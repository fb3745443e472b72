"""A model to a smaller one: the steps of a recipe that do not train, a file each, keys beside what they do."""
