"""A compressed graph and samples to a retrained one, in PyTorch; only here and in its importer is it imported."""
