"""A model to a trained or pruned one: the steps of a recipe that train; what imports PyTorch is given to them."""
