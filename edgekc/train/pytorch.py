"""The trainer that computes with PyTorch: the one door to the files that import it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .trainer import Trainer

if TYPE_CHECKING:
    from .place import Place


def trainer(place: Place | None = None) -> Trainer:
    """What `compress` is given for recipes that train; it asks for it only where a step does.

    PyTorch takes a second to import, and it is not everywhere: only what calls this needs it.

    Args:
        place: where it computes, and with which other processes; None: on the processor, alone.
    """
    from .place import ALONE
    from .pruning import run
    from .retrain import retrain

    here = ALONE if place is None else place
    agree = None if here.size == 1 else here.agree
    return Trainer(partial(retrain, place=here), partial(run, place=here), here.first, agree)
