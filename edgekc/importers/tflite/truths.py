"""Tensors of true and false as int8 ones that hold 1 and 0, which is how their bytes are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import UnsupportedError
from ...ops.compare import TRUTH
from .file import FileModel, FileTensor


def as_bytes(model: FileModel, where: str) -> FileModel:
    """The same model without tensors of type bool; as it is where it has none.

    Raises:
        UnsupportedError: an input is one, whose bytes nobody vouches for.
    """
    truths = frozenset(t.index for t in model.tensors if t.dtype == "bool")
    if not truths:
        return model
    for k, i in enumerate(model.inputs):
        if i in truths:
            raise UnsupportedError("type bool; supported: int8", where=f"{where}: input {k}")
    tensors = tuple(_as_bytes(t) if t.index in truths else t for t in model.tensors)
    return replace(model, tensors=tensors, truths=truths)


def as_reals(model: FileModel) -> FileModel:
    """A float model without tensors of type bool: they are float32 ones that hold 1 and 0."""
    truths = frozenset(t.index for t in model.tensors if t.dtype == "bool")
    tensors = tuple(_as_reals(t) if t.index in truths else t for t in model.tensors)
    return replace(model, tensors=tensors, truths=truths)


def _as_reals(t: FileTensor) -> FileTensor:
    data = None if t.data is None else (t.data != 0).astype(np.float32)
    return replace(t, dtype="float32", quant=None, data=data)


def _as_bytes(t: FileTensor) -> FileTensor:
    data = None if t.data is None else (t.data != 0).astype(np.int8)
    return replace(t, dtype="int8", quant=TRUTH, data=data)
