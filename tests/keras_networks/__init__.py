"""Small networks as people build them in Keras: by name, a function from the module `keras` to a model."""

from . import activations, images, sequences, vectors
from .conversion import converted
from .registry import NETWORKS

__all__ = ["NETWORKS", "activations", "converted", "images", "sequences", "vectors"]
