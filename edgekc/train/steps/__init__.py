"""The steps of a recipe that train, one file each; the trainer that they are given imports PyTorch, they do not."""
