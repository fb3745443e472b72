"""Jobs that each read some samples to what they read, in order; of samples on disk by processes that read ahead.

What a job reads depends on the job alone, so that the number of workers changes nothing but the time.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch.utils.data

from ..data import Dataset
from ..errors import EdgekcError, ToolError
from ..files.classes import OnDisk
from ..graph.ir import Array

Job = TypeVar("Job")
_AHEAD = 2  # jobs of each worker that are read before they are asked for


def feed(
    read: Callable[[Job], Array], jobs: Iterable[Job], dataset: Dataset, workers: int
) -> Iterator[tuple[Job, Array]]:
    """Each job and what it reads.

    Args:
        read: the same in any process; what it is made of goes to the workers.
        dataset: where `read` reads from: what is in memory needs no workers.

    Raises:
        EdgekcError: what `read` raises. ToolError: a worker ended.
    """
    if not workers or not isinstance(dataset.x, OnDisk):
        for job in jobs:
            yield job, read(job)
        return
    given: list[Job] = []  # as many as are on their way
    loader = torch.utils.data.DataLoader(
        _Reads(read), batch_size=None, sampler=_Noted(jobs, given), num_workers=workers, prefetch_factor=_AHEAD,
        collate_fn=_as_it_is, worker_init_fn=_leave_signals,
    )  # fmt: skip
    found = iter(loader)
    while True:
        try:
            values = next(found)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            fix = "fewer workers take less memory"
            raise ToolError("a process that decodes samples has ended", where=dataset.where, fix=fix) from error
        if isinstance(values, EdgekcError):
            raise values
        yield given.pop(0), values


class _Reads(torch.utils.data.Dataset[Any]):
    def __init__(self, read: Callable[[Any], Array]) -> None:
        self._read = read

    def __getitem__(self, job: Any) -> Array | EdgekcError:
        try:
            return self._read(job)
        except EdgekcError as error:  # else it would come with the worker's traceback in its text
            return error


class _Noted(torch.utils.data.Sampler[Any]):
    """Jobs in order, each noted when it is handed out."""

    def __init__(self, jobs: Iterable[Job], given: list[Job]) -> None:
        self._jobs, self._given = jobs, given

    def __iter__(self) -> Iterator[Any]:
        for job in self._jobs:
            self._given.append(job)
            yield job


def _as_it_is(values: Any) -> Any:
    """Arrays go through a pipe: shared memory, where PyTorch would put tensors, is small in containers."""
    return values


def _leave_signals(worker: int) -> None:
    """Ctrl-C is for the process that trains, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
