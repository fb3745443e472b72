"""A .pt2 file, an ExportedProgram or an nn.Module to an ExportedProgram of core ATen operators."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError, ToolError, UnsupportedError, UsageError
from ..faults import is_ours
from .archive import clean_archive

# Operators that are imported as they are: what torch makes of them is slower, or harder to know again.
_KEPT = (
    "linear hardswish hardsigmoid silu mish softplus celu prelu upsample_nearest1d upsample_nearest2d "
    "_upsample_nearest_exact1d _upsample_nearest_exact2d upsample_linear1d upsample_bilinear2d pixel_shuffle "
    "pixel_unshuffle channel_shuffle scaled_dot_product_attention reflection_pad1d reflection_pad2d instance_norm "
    "matmul einsum pad logsumexp"
).split()


def load_torch(where: str) -> Any:
    """The package torch; ToolError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise ToolError("reading PyTorch models needs torch", where=where, fix="pip install 'edgekc[torch]'") from error
    return torch


def _tensors(torch: Any, example_inputs: Any) -> Any:
    """Arrays of numpy as torch wants them; all else as it is."""
    if isinstance(example_inputs, (tuple, list)):
        return tuple(_tensors(torch, each) for each in example_inputs)
    return torch.from_numpy(example_inputs) if isinstance(example_inputs, np.ndarray) else example_inputs


def program_of(source: Any, example_inputs: Any, where: str) -> Any:
    """An ExportedProgram whose operators are decomposed to core ATen.

    Args:
        source: a path to a .pt2 file, an ExportedProgram, or an nn.Module.
        example_inputs: for a module only: a tensor or array, or a tuple of them; one sample of the batch is used.
    """
    torch = load_torch(where)
    if isinstance(source, (str, Path)):
        program = _load(torch, Path(source))
    elif isinstance(source, torch.export.ExportedProgram):
        program = source
    elif isinstance(source, torch.nn.Module):
        program = _export(torch, source, _tensors(torch, example_inputs), where)
    else:
        raise UsageError(
            f"a {type(source).__name__}; expected an ExportedProgram, an nn.Module or the path of a .pt2 file",
            where=where,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = torch.export.default_decompositions()
            for kept in _KEPT:
                packet = getattr(torch.ops.aten, kept, None)
                for overload in packet.overloads() if packet is not None else ():
                    table.pop(getattr(packet, overload), None)
            return program.run_decompositions(table)
    except Exception as error:
        if is_ours(error):
            raise
        raise UnsupportedError(
            f"torch cannot decompose the program into core ATen operators ({_line(error)})", where=where
        ) from error


def input_ranks(program: Any) -> list[int]:
    """How many dimensions each input of the user's has."""
    names = {spec.arg.name for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"}
    values = [n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder" and n.name in names]
    return [len(value.shape) for value in values if hasattr(value, "shape")]


def _load(torch: Any, path: Path) -> Any:
    where = str(path)
    clean = clean_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            level = logging.root.manager.disable
            logging.disable(logging.CRITICAL)  # torch logs tracebacks of what is one line for the user
            try:
                return torch.export.load(io.BytesIO(clean))
            finally:
                logging.disable(level)
    except Exception as error:
        if is_ours(error):
            raise
        # torch's loader asserts, and lets JSON's and its own errors through.
        raise ModelError(
            f"not a sound torch.export program ({_line(error)})", where=where, fix="save it with torch.export.save"
        ) from error


def _export(torch: Any, module: Any, example_inputs: Any, where: str) -> Any:
    if example_inputs is None:
        raise UsageError("an nn.Module needs example_inputs, a tuple of tensors with the shapes of one sample",
                         where=where)  # fmt: skip
    given = example_inputs if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    if not given or not all(isinstance(x, torch.Tensor) for x in given):
        raise UsageError("example_inputs must be tensors", where=where)
    samples = tuple(x[:1] if x.ndim > 1 else x for x in given)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(module, samples)
    except Exception as error:
        if is_ours(error):
            raise
        raise UnsupportedError(
            f"torch.export cannot trace the module ({_line(error)})",
            where=where,
            fix="see torch.export's documentation on control flow that depends on data",
        ) from error
    finally:
        for part, training in modes:
            part.training = training


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
