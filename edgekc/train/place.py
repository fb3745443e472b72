"""Where a training computes: the processor or a GPU of each process, and which part of every batch is whose.

Data-parallel training, as PyTorch's DistributedDataParallel does it (Li et al. 2020, arXiv 2006.15704): every process
has the whole net, computes its share of a batch, and all of them take the same step. Two things differ, so that the
result is that of one process. Scores are gathered before the loss, which is that of the whole batch whatever it divides
by: shares may be uneven, and labels missing. Gradients are added up behind the backward pass, all in one message: nets
are small, and their parameters change while indices are chosen.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import ToolError, UsageError
from ..graph.ir import Array
from .processes import Rank
from .windows import Inputs, Window, cut

_PATIENCE = datetime.timedelta(days=1)  # one process may work alone for hours; one that ends is noticed at once
Result = TypeVar("Result")


class Place:
    """One process, and the others that train with it.

    Args:
        device: nets and batches are there.
        rank, size: this process among all, from 0.
        workers: processes that decode samples which are not in memory; 0: this one does.
        control: the group that passes what is no gradient, on the processors; None: there is one process.
    """

    def __init__(
        self,
        device: torch.device,
        rank: int = 0,
        size: int = 1,
        workers: int = 0,
        control: dist.ProcessGroup | None = None,
    ) -> None:
        self.device, self.rank, self.size, self.workers = device, rank, size, workers
        self._control = control
        self._counts: tuple[int, ...] = ()

    @property
    def first(self) -> bool:
        """Whether this process writes files, and is heard."""
        return self.rank == 0

    def autocast(self, bfloat16: bool) -> torch.autocast:
        """Convolutions and products in bfloat16, or all in float32; parameters and losses stay float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16)

    def put(self, x: Inputs) -> Inputs:
        """A batch on the device."""
        if isinstance(x, Window):
            return replace(x, x=x.x.to(self.device))
        return x.to(self.device)

    def rows(self, count: int) -> Array:
        """Which rows of a batch of `count` this process computes; one that is not counted where it has none."""
        own = share(count, self.rank, self.size)
        return own if len(own) else np.zeros(1, np.int64)

    def shared(self, count: int) -> None:
        """From now on `gather` has outputs of a batch of `count`, of which each process was given its `rows`."""
        self._counts = tuple(len(share(count, rank, self.size)) for rank in range(self.size))

    def window(self, window: Window, index: Array) -> tuple[Window, Array]:
        """The lanes of a window that this process computes; which samples all have, in the order of `gather`.

        Args:
            index: of the window's samples, in the order of its outputs.
        """
        if self.size == 1:
            return window, index
        lanes = [share(window.x.shape[1], rank, self.size) for rank in range(self.size)]
        mine, indices = cut(window, index, lanes, self.rank)
        self._counts = tuple(map(len, indices))
        return mine, np.concatenate(indices)

    def gather(self, outputs: Tensor) -> Tensor:
        """Outputs (n, ...) of the whole batch on every process; gradients go to this process's own alone."""
        if self.size == 1:
            return outputs
        own, most = outputs[: self._counts[self.rank]], max(self._counts)
        sent = torch.zeros((most, *outputs.shape[1:]), dtype=outputs.dtype, device=outputs.device)
        sent[: len(own)] = own.detach()
        parts = [torch.empty_like(sent) for _ in range(self.size)]
        _passed(lambda: dist.all_gather(parts, sent, group=self._group))
        parts[self.rank] = own
        return torch.cat([part[:count] for part, count in zip(parts, self._counts, strict=True)])

    def add_gradients(self, net: nn.Module) -> None:
        """The gradient of the whole batch on every process."""
        if self.size == 1:
            return
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        if not gradients:  # then no process has any: all have the same loss
            return
        flat = torch.cat([g.flatten() for g in gradients])
        _passed(lambda: dist.all_reduce(flat, group=self._group))
        at = 0
        for g in gradients:
            g.copy_(flat[at : at + g.numel()].reshape(g.shape))
            at += g.numel()

    @torch.no_grad()
    def same(self, net: nn.Module) -> None:
        """Every process goes on with the parameters and buffers of the first one."""
        if self.size == 1:
            return
        for value in net.state_dict().values():
            passed = value.detach().cpu().contiguous()
            _passed(lambda passed=passed: dist.broadcast(passed, 0, group=self._control))  # type: ignore[misc]
            value.copy_(passed)

    def agree(self, made: Callable[[], bytes]) -> bytes:
        """What the first process makes; the others wait for it."""
        if self.size == 1:
            return made()
        data = made() if self.first else b""
        length = torch.tensor([len(data)])
        _passed(lambda: dist.broadcast(length, 0, group=self._control))
        passed = torch.from_numpy(np.frombuffer(data, np.uint8).copy()) if self.first else None
        passed = torch.empty(int(length), dtype=torch.uint8) if passed is None else passed
        if len(passed):
            _passed(lambda: dist.broadcast(passed, 0, group=self._control))
        return passed.numpy().tobytes()

    def agree_on(self, values: Array) -> Array:
        """Numbers that decide what is done next, as the first process has them."""
        if self.size == 1:
            return values
        return np.frombuffer(self.agree(values.tobytes), values.dtype).reshape(values.shape).copy()

    @property
    def _group(self) -> dist.ProcessGroup | None:
        """What passes tensors of the device."""
        return None if self.device.type == "cuda" else self._control


ALONE = Place(torch.device("cpu"))


def share(count: int, rank: int, size: int) -> Array:
    """The rows of a batch that a process has: parts in order that differ by one row at most."""
    return np.arange(count * rank // size, count * (rank + 1) // size)


def find_device(name: str, rank: Rank) -> torch.device:
    """The device that a user calls `cpu`, `cuda`, `cuda:1` or `auto`; of several processes each has its own GPU.

    Raises:
        UsageError: it is not there.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not there):
        return torch.device("cpu")
    number = rank.local if name in ("auto", "cuda") else int(name.removeprefix("cuda:"))
    if not there:
        why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch finds no GPU"
        raise UsageError(f"{why}", where=f"device {name}", fix="take device cpu, or auto")
    if rank.size > 1 and name.startswith("cuda:"):
        raise UsageError("names one GPU for all processes", where=f"device {name}", fix="take device cuda")
    if number >= there:
        who = f"process {rank.local} of this machine needs a GPU of its own" if rank.size > 1 else f"there is no {name}"
        raise UsageError(f"{who}; there are {there}", where=f"device {name}", fix="start fewer processes, or take auto")
    return torch.device("cuda", number)


@contextmanager
def placed(device: str, workers: int, rank: Rank) -> Iterator[Place]:
    """This process among those that torchrun has started, or alone.

    A group of processes that is there already is taken, and left. Raises as `find_device`; ToolError where the others
    cannot be reached.
    """
    found = find_device(device, rank)
    if not dist.is_available():
        if rank.size > 1:
            raise ToolError("this PyTorch has no torch.distributed", where="several processes", fix="start one")
        yield Place(found, workers=workers)
        return
    if rank.size == 1 and not dist.is_initialized():
        yield Place(found, workers=workers)
        return
    if found.type == "cuda":
        torch.cuda.set_device(found)
    ours = not dist.is_initialized()
    if ours:
        backend = "nccl" if found.type == "cuda" else "gloo"
        try:
            dist.init_process_group(backend, timeout=_PATIENCE)
        except (RuntimeError, ValueError) as error:
            line = " ".join(str(error).split())[:160]
            fix = "start them with torchrun"
            raise ToolError(f"cannot reach each other ({line})", where="several processes", fix=fix) from error
    try:
        control = _passed(lambda: dist.new_group(backend="gloo", timeout=_PATIENCE))
        yield Place(found, dist.get_rank(), dist.get_world_size(), workers, control)
    finally:
        if ours:
            dist.destroy_process_group()


def _passed(message: Callable[[], Result]) -> Result:
    """Something passed between processes. ToolError: one of them is not there any more."""
    try:
        return message()
    except RuntimeError as error:  # DistError is one; gloo raises plain ones
        line = " ".join(str(error).split())[:120]
        rank = os.environ.get("RANK", "?")
        fix = "its own error says why"
        raise ToolError(f"another process of this training ended ({line})", where=f"process {rank}", fix=fix) from error
