"""What operators in single precision share: the exponential by its steps, numbers as their bits, test values."""

from __future__ import annotations

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array, Tensor
from ...graph.op import View

# ek_exp_f32.c, which says what they are
_LOG2_E, _LN_2_HIGH, _LN_2_LOW = np.float32(1.44269502), np.float32(0.693359375), np.float32(-0.000212194442)
_TERMS = tuple(np.float32(1 / k) for k in (5040, 720, 120, 24, 6, 2, 1, 1))
_LEAST, _MOST = np.float32(-80), np.float32(88)


def exp(x: Array) -> Array:
    """e^x of float32, within 2 units in the last place: every step is rounded to float32, as in C."""
    x = np.asarray(x, np.float32)
    inside = x >= _LEAST
    x = np.where(inside, np.minimum(x, _MOST), np.float32(0))
    powers = x * _LOG2_E
    n = (powers + np.where(powers < 0, np.float32(-0.5), np.float32(0.5))).astype(np.int32)
    whole = n.astype(np.float32)
    rest = (x - whole * _LN_2_HIGH) - whole * _LN_2_LOW
    total = np.full_like(rest, _TERMS[0])
    for term in _TERMS[1:]:
        total = total * rest + term
    return np.asarray(np.where(inside, total * ((n + 127) << 23).view(np.float32), np.float32(0)))


def bits_of(value: float) -> int:
    """The bits of a number as float32: how attributes of integers hold it."""
    return int(np.float32(value).view(np.int32))


def of_bits(bits: int) -> np.float32:
    return np.int32(bits).view(np.float32)


def is_single(tensor: Tensor) -> bool:
    return tensor.dtype == "float32"


def require_single(view: View) -> None:
    """UnsupportedError unless every input and output is float32."""
    for tensor in (*view.inputs, *view.outputs):
        if not is_single(tensor):
            what = f"{view.node.op} of float32 and {tensor.dtype} ({tensor.name})"
            raise UnsupportedError(what, where=view.node.name)


def check_all(view: View) -> None:
    """ModelError unless every activation of an INTEGER node is float32: its kernel counts on four bytes for each."""
    for tensor in (*view.inputs, *view.outputs):
        if not is_single(tensor):
            raise ModelError(f"{view.node.op} of {tensor.dtype} ({tensor.name}), not float32", where=view.node.name)


def reals(rng: np.random.Generator, shape: tuple[int, ...]) -> list[tuple[str, Array]]:
    """Inputs of each kind: ordinary values, large and tiny ones, all zeros, all the same."""
    ordinary = rng.normal(0, 3, shape).astype(np.float32)
    scattered = (rng.normal(0, 1, shape) * 10.0 ** rng.uniform(-30, 4, shape)).astype(np.float32)
    return [
        ("ordinary", ordinary),
        ("scattered", scattered),
        ("zero", np.zeros(shape, np.float32)),
        ("same", np.full(shape, -57.25, np.float32)),
    ]
