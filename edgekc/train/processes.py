"""Which of several processes this is, as torchrun says it, and what it is asked to compute on; without PyTorch."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ..errors import UsageError

_MOST_WORKERS = 8  # of one process: more are seldom faster than a disk


@dataclass(frozen=True, slots=True)
class Rank:
    """One of several processes: its number among all, how many there are, and its number on its machine."""

    number: int
    size: int
    local: int


def rank() -> Rank:
    """This process, by the variables that torchrun sets; alone where they are not there.

    Raises:
        UsageError: they are no numbers, or contradict each other.
    """
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        return Rank(0, 1, 0)
    texts = [os.environ[name] for name in ("RANK", "WORLD_SIZE")]
    texts.append(os.environ.get("LOCAL_RANK", texts[0]))
    if not all(re.fullmatch("[0-9]{1,6}", text) for text in texts) or int(texts[0]) >= int(texts[1]):
        what = f"RANK={texts[0]} and WORLD_SIZE={texts[1]} are no process of several"
        raise UsageError(what, where="environment", fix="start with torchrun, or unset both")
    return Rank(*map(int, texts))


def usual_workers(size: int) -> int:
    """Processes that decode samples beside each of `size` that train: what this machine's cores leave."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cores = os.cpu_count() or 1
    return min(max(cores // size, 1), _MOST_WORKERS)


def check_device(device: str) -> None:
    """UsageError where nothing is called so."""
    if not re.fullmatch("cpu|cuda(:[0-9]{1,3})?|auto", device):
        raise UsageError(f"no device is called {device!r}", where="device", fix="cpu, cuda, cuda:1 or auto")
