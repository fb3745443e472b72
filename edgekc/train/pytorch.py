"""The trainer that computes with PyTorch: the one door to the files that import it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .processes import check_device, rank, usual_workers
from .trainer import Trainer

if TYPE_CHECKING:
    from .place import Place


@dataclass(frozen=True, slots=True)
class Crew:
    """What trains.

    Attributes:
        first: this is the process that writes files, and is heard.
        trainer: see `compression.run.compress`.
    """

    first: bool
    trainer: Callable[[], Trainer]


def trainer(place: Place | None = None) -> Trainer:
    """What `compress` is given for recipes that train; it asks for it only where a step does.

    PyTorch takes a second to import, and it is not everywhere: only what calls this needs it.

    Args:
        place: where it computes, and with which other processes; None: on the processor, alone.
    """
    from .place import ALONE
    from .pruning import run
    from .reconstruct import reconstruct
    from .retrain import retrain

    here = ALONE if place is None else place
    agree = None if here.size == 1 else here.agree
    return Trainer(partial(retrain, place=here), partial(run, place=here), reconstruct, here.first, agree)


@contextmanager
def crew(trains: bool, device: str, workers: int | None) -> Iterator[Crew]:
    """This process and those that train with it.

    Args:
        trains: whether anything does; else devices and other processes are not looked for.
        device: `cpu`, `cuda`, `cuda:1` or `auto`.
        workers: processes that decode samples which are not in memory; None: by the number of cores.

    Raises:
        UsageError: the device is not there. ToolError: the other processes cannot be reached.
    """
    check_device(device)
    found = rank()
    # Where PyTorch is missing, whoever asks for the trainer says so, with the step that needs it.
    if not trains or importlib.util.find_spec("torch") is None:
        yield Crew(found.number == 0, trainer)
        return
    from .place import placed

    with placed(device, usual_workers(found.size) if workers is None else workers, found) as place:
        yield Crew(place.first, partial(trainer, place))
