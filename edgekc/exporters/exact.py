"""Layers in integers of 64 bits, so that a runtime gives the very integers of the graph.

Sums come from ConvInteger and MatMulInteger. What follows is `graph/fixedpoint.py` and the definition of each operator,
in Add, Mul, Mod and Div. ONNX's Div rounds towards zero, and its Mod has the sign of the divisor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph.fixedpoint import DOUBLE, INT32_MAX, SINGLE, rounding_divide_by_pot, rounding_doubling_high_mul
from ..graph.ir import Array, Graph
from ..graph.op import View, int_attrs
from ..ops import softmax as sm
from ..ops.add import LEFT_SHIFT
from ..ops.shared import elementwise, pool
from .writer import INT8, MOVERS, Writer, mean_axes, weights_of, window_of


class Whole(Writer):
    """Layers compute in int64. Names of tensors are counted: what a layer does takes dozens of operators."""

    def __init__(self, onnx: Any, graph: Graph) -> None:
        super().__init__(onnx, graph)
        self.count = 0
        self.bytes_of: dict[str, str] = {}  # tensors of int8 to the same plus 128

    # ---- arithmetic; operands are tensors, or numbers and arrays that become constants ----

    def fixed(self, value: Any, dtype: str = "int64") -> str:
        """A constant, shared by all that have its value."""
        data = np.asarray(value, dtype)
        name = f"{dtype}:{data.shape}:{data.tobytes().hex()}" if data.size < 5 else self._new()
        return self.constant(name, data, dtype)

    def of(self, kind: str, *operands: Any, **attrs: Any) -> str:
        """One operator."""
        return self.node(kind, [x if isinstance(x, str) else self.fixed(x) for x in operands], self._new(), **attrs)

    def cast(self, x: str, dtype: str) -> str:
        return self.of("Cast", x, to=int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))

    def below_zero(self, x: str) -> str:
        """1 where x is negative, else 0."""
        return self.cast(self.of("Less", x, 0), "int64")

    def shifted(self, x: str, power: Any) -> str:
        """x / power, rounded down; power: of two, an array or a tensor of them."""
        return self.of("Div", self.of("Sub", x, self.of("Mod", x, power)), power)

    def high(self, a: str, b: Any) -> str:
        """`fixedpoint.rounding_doubling_high_mul`."""
        product = self.of("Add", self.of("Mul", a, b), 1 << 30)
        return self.of("Min", self.shifted(product, 1 << 31), INT32_MAX)

    def divided(self, x: str, exponent: Array | int) -> str:
        """`fixedpoint.rounding_divide_by_pot`."""
        e = np.asarray(exponent, np.int64)
        if not e.any():
            return x
        half = np.where(e > 0, np.int64(1) << np.maximum(e - 1, 0), 0)
        away = self.of("Sub", half, self.of("Mul", self.below_zero(x), (e > 0).astype(np.int64)))
        return self.shifted(self.of("Add", x, away), np.int64(1) << e)

    def requantized(self, acc: str, multiplier: Array | int, shift: Array | int, rounding: int) -> str:
        """`fixedpoint.requantize`."""
        m, s = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
        if rounding == SINGLE:
            return self.divided(self.of("Mul", acc, m), 31 - s)
        if (s > 0).any():  # a register of 32 bits wraps
            grown = self.of("Add", self.of("Mul", acc, np.int64(1) << np.maximum(s, 0)), 1 << 31)
            acc = self.of("Sub", self.of("Mod", grown, 1 << 32), 1 << 31)
        return self.divided(self.high(acc, m), np.maximum(-s, 0))

    # ---- activations ----

    def integers(self, name: str, zero_point: int = 0) -> str:
        """An activation less its zero point."""
        found = self.cast(self.where[name], "int64")
        return self.of("Sub", found, zero_point) if zero_point else found

    def done(self, name: str, value: str, zero_point: int = 0, low: int = INT8[0], high: int = INT8[1]) -> None:
        """`fixedpoint.clamp_int8`."""
        moved = self.of("Add", value, zero_point) if zero_point else value
        self.where[name] = self.cast(self.of("Min", self.of("Max", moved, low), high), "int8")

    def sums(self, kind: str, x: str, outside: int, weights: Array, **attrs: Any) -> str:
        """Sums of (x - outside) * weights by ConvInteger or MatMulInteger: one for each byte of the weights.

        Bytes are unsigned: some runtimes take no others.
        """
        least = (
            128 if INT8[0] <= weights.min() and weights.max() <= INT8[1] else 0
        )  # 0: this is the lowest byte of some
        values, zeros = (weights + least) & 255, (self.fixed(outside + 128, "uint8"), self.fixed(least, "uint8"))
        found = self.node(kind, [self.unsigned(x), self.fixed(values, "uint8"), *zeros], self._new(), **attrs)
        part = self.cast(found, "int64")
        if least:
            return part
        return self.of("Add", self.of("Mul", self.sums(kind, x, outside, weights >> 8, **attrs), 256), part)

    def unsigned(self, x: str) -> str:
        """A tensor of int8 plus 128."""
        if x not in self.bytes_of:
            self.bytes_of[x] = self.cast(self.of("Add", self.cast(x, "int64"), 128), "uint8")
        return self.bytes_of[x]

    def _new(self) -> str:
        self.count += 1
        return f"exact:{self.count}"


# ---- layers with weights ----


def _output(writer: Whole, view: View, acc: str, shape: tuple[int, ...]) -> None:
    """Requantisation; `shape`: how what is by channel lies beside the accumulator."""
    multiplier, shift = (t.value.astype(np.int64).reshape(-1) for t in (view.multiplier, view.shift))
    if len(multiplier) > 1:
        multiplier, shift = multiplier.reshape(shape), shift.reshape(shape)
    value = writer.requantized(acc, multiplier, shift, view["rounding"])
    writer.done(view.out.name, value, view["out_zero"], view["act_min"], view["act_max"])


def _conv(writer: Whole, view: View, weights: Array, groups: int) -> None:
    attrs = window_of(view, weights.shape[2:])
    dilations = [view["dilation_h"], view["dilation_w"]]
    outside = view["pad_value"]
    x = writer.where[view.x.name]
    found = writer.sums("ConvInteger", x, outside, weights, group=groups, dilations=dilations, **attrs)
    bias = view.bias.value.astype(np.int64).reshape(-1) + outside * weights.sum((1, 2, 3))
    _output(writer, view, writer.of("Add", found, bias.reshape(1, -1, 1, 1)), (1, -1, 1, 1))


def _conv2d(writer: Whole, view: View) -> None:
    weights = weights_of(view).transpose(0, 3, 1, 2)
    _conv(writer, view, weights, view.x.shape[3] // weights.shape[1])


def _depthwise(writer: Whole, view: View) -> None:
    _conv(writer, view, weights_of(view).transpose(2, 0, 1)[:, None], view.x.shape[3])


def _fully_connected(writer: Whole, view: View) -> None:
    x = writer.where[view.x.name]
    if len(view.x.shape) == 4:
        x = writer.of("Transpose", x, perm=[0, 2, 3, 1])
    found = writer.sums("MatMulInteger", x, 0, weights_of(view).T)
    _output(writer, view, writer.of("Add", found, view.bias.value.astype(np.int64).reshape(-1)), (-1,))
    if len(view.out.shape) == 4:
        writer.where[view.out.name] = writer.of("Transpose", writer.where[view.out.name], perm=[0, 3, 1, 2])


# ---- layers without ----


def _add(writer: Whole, view: View) -> None:
    """`ops/add.py`. Operands broadcast as in ONNX, once they have as many axes as the output."""
    rank, parts = len(view.out.shape), []
    for prefix, t in zip("ab", view.inputs, strict=True):
        shape = elementwise.align(t.shape, rank)
        if t.data is not None:
            own = t.value.astype(np.int64).reshape(shape) - view[f"{prefix}_zero"]
            operand = writer.fixed(own.transpose(0, 3, 1, 2) if rank == 4 else own)
        elif len(t.shape) == rank:
            operand = writer.integers(t.name, view[f"{prefix}_zero"])
        else:
            what = f"an addition of {len(t.shape)} to {rank} dimensions has no form in ONNX here"
            raise UnsupportedError(what, where=view.node.name)
        parts.append(_scaled(writer, view, writer.of("Mul", operand, 1 << LEFT_SHIFT), f"{prefix}_"))
    value = _scaled(writer, view, writer.of("Add", *parts), "out_")
    writer.done(view.out.name, value, view["out_zero"], view["act_min"], view["act_max"])


def _scaled(writer: Whole, view: View, value: str, prefix: str) -> str:
    return writer.requantized(value, view[f"{prefix}multiplier"], view[f"{prefix}shift"], DOUBLE)


def _average_pool(writer: Whole, view: View) -> None:
    """`ops/average_pool.py`: the sum of the pixels inside the image, over how many they are, halves away from zero."""
    channels, kernel = view.x.shape[3], (view["filter_h"], view["filter_w"])
    ones = np.ones((channels, 1, *kernel), np.int64)
    x = writer.where[view.x.name]
    total = writer.sums("ConvInteger", x, 0, ones, group=channels, **window_of(view, kernel))
    inside = pool.windows(int_attrs(view.node), np.ones((1, *view.x.shape[1:3], 1), np.int8), 0).sum(3)
    count = inside.transpose(0, 3, 1, 2).astype(np.int64)
    half = writer.of("Mul", writer.of("Sign", total), count // 2)
    mean = writer.of("Div", writer.of("Add", total, half), count)
    writer.done(view.out.name, mean, 0, view["act_min"], view["act_max"])


def _max_pool(writer: Whole, view: View) -> None:
    window = window_of(view, (view["filter_h"], view["filter_w"]))
    found = writer.of("MaxPool", writer.where[view.x.name], **window)
    writer.done(view.out.name, writer.cast(found, "int64"), 0, view["act_min"], view["act_max"])


def _mean(writer: Whole, view: View) -> None:
    x = writer.integers(view.x.name, view["in_zero"])
    total = writer.of("ReduceSum", x, np.asarray(mean_axes(view)), keepdims=view["keep_dims"])
    value = writer.requantized(total, view["multiplier"], view["shift"], DOUBLE)
    writer.done(view.out.name, value, view["out_zero"])


def _softmax(writer: Whole, view: View) -> None:
    """`ops/softmax.py`. A difference to the maximum has 256 values: exponentials are a table."""
    if len(view.x.shape) == 4:
        raise UnsupportedError("a softmax of an image has no form in ONNX here", where=view.node.name)
    diff = np.arange(-255, 1)
    near = diff >= view["diff_min"]
    scaled = rounding_doubling_high_mul(np.where(near, diff, 0) << view["shift"], view["multiplier"])
    exps = np.where(near, sm.exp_negative(scaled), 0)
    small = np.where(near, rounding_divide_by_pot(exps, sm.SUM_BITS), 0)
    x = writer.integers(view.x.name)
    place = writer.of("Add", writer.of("Sub", x, writer.of("ReduceMax", x, axes=[-1], keepdims=1)), 255)
    total = writer.of("ReduceSum", writer.of("Gather", small, place), np.array([-1]), keepdims=1)
    scale, bits = _reciprocal(writer, total)
    value = writer.high(writer.of("Gather", exps, place), scale)
    exponents = np.arange(33) - (32 - sm.SUM_BITS) + 31 - 8  # by bits of the total
    power = writer.of("Gather", np.int64(1) << exponents, bits)
    value = writer.shifted(writer.of("Add", value, writer.of("Div", power, 2)), power)  # none is negative
    writer.done(view.out.name, value, -128)


def _reciprocal(writer: Whole, x: str) -> tuple[str, str]:
    """`softmax.reciprocal`: 1 / y in Q0, and how many bits x has."""
    powers = np.int64(1) << np.arange(32)
    reached = writer.of("Sub", 1, writer.below_zero(writer.of("Sub", x, powers)))
    bits = writer.of("ReduceSum", reached, np.array([-1]), keepdims=1)
    room = writer.of("Gather", np.int64(1) << (32 - np.arange(33)), bits)
    half = writer.of("Sub", writer.of("Mul", x, room), 1 << 31)
    half = writer.shifted(writer.of("Add", half, INT32_MAX + 1), 2)
    guess = writer.of("Add", writer.high(half, sm.RECIPROCAL_32_17), sm.RECIPROCAL_48_17)
    for _ in range(3):
        error = writer.of("Sub", 1 << 29, writer.high(half, guess))
        guess = writer.of("Add", guess, writer.of("Mul", writer.high(guess, error), 4))
    return writer.of("Min", writer.of("Mul", guess, 2), INT32_MAX), bits


WRITERS: dict[str, Callable[[Whole, View], None]] = {
    "conv2d": _conv2d,
    "grouped_conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "add": _add,
    "average_pool": _average_pool,
    "max_pool": _max_pool,
    "mean": _mean,
    "softmax": _softmax,
    **MOVERS,
}
