"""The trainer that computes with PyTorch: the one door to the files that import it."""

from __future__ import annotations

from .trainer import Trainer


def trainer() -> Trainer:
    """What `compress` is given for recipes that train; it asks for it only where a step does.

    PyTorch takes a second to import, and it is not everywhere: only what calls this needs it.
    """
    from .pruning import run
    from .reconstruct import reconstruct
    from .retrain import retrain

    return Trainer(retrain, run, reconstruct)
