"""Retraining of compressed graphs in PyTorch: only this package and the importer of its models import torch."""
