"""What lowerings demand of a quantised node before they turn it into integers, and helpers for ranges."""

from __future__ import annotations

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Tensor
from ...graph.op import Interval, View


def require_int8(view: View) -> None:
    """UnsupportedError unless every input and output is int8."""
    for tensor in (*view.inputs, *view.outputs):
        if tensor.dtype != "int8":
            raise UnsupportedError(f"{view.node.op} of {tensor.dtype} ({tensor.name})", where=view.node.name)


def require_moved(view: View) -> None:
    """UnsupportedError unless the activations are int8, int16 or float32: values are moved as they are."""
    for tensor in (*view.inputs, *view.outputs):
        if tensor.dtype not in ("int8", "int16", "float32") or tensor.dtype != view.out.dtype:
            raise UnsupportedError(f"{view.node.op} of {tensor.dtype} ({tensor.name})", where=view.node.name)


def width(view: View) -> int:
    """Bytes of a value that an INTEGER node moves."""
    return np.dtype(view.x.dtype).itemsize


def require_one_width(view: View) -> None:
    """ModelError unless the values of all activations of an INTEGER node have as many bytes."""
    ends = [t for t in view.inputs if t.data is None]
    for tensor in (*ends, view.out):
        if np.dtype(tensor.dtype).itemsize != width(view):
            raise ModelError(f"{view.node.op} of {view.x.dtype} and {tensor.dtype} ({tensor.name})")


def require_same_quant(view: View) -> None:
    """UnsupportedError unless every input has the output's scale and zero point: the bytes are copied as they are.

    Real numbers have neither.
    """
    if all(t.dtype == "float32" for t in (*view.inputs, *view.outputs)):
        return
    out = view.out.q
    for tensor in view.inputs:
        q = tensor.q
        if (q.scale, q.zero_point) != (out.scale, out.zero_point):
            raise UnsupportedError(
                f"{view.node.op} whose input {tensor.name} and output differ in scale or zero point",
                where=view.node.name,
                fix="requantise the model with shared parameters",
            )


def require_activation(view: View) -> None:
    """ModelError where the fused activation of an INTEGER node leaves no value."""
    if view["act_min"] > view["act_max"]:
        raise ModelError(f"act_min {view['act_min']} is above act_max {view['act_max']}")


def activation_inputs(view: View) -> tuple[str, ...]:
    """Names of the inputs, all of which must be computed at run time."""
    for tensor in view.inputs:
        if is_constant(tensor):
            raise UnsupportedError(f"{view.node.op} of a constant ({tensor.name})", where=view.node.name)
    return tuple(t.name for t in view.inputs)


def is_constant(tensor: Tensor) -> bool:
    return tensor.data is not None


def channels_of(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def known(tensor: Tensor, interval: Interval | None) -> Interval:
    """The interval of an operand: its values where it is a constant, all of int8 where nothing is known."""
    channels = channels_of(tensor)
    if tensor.data is not None and tensor.dtype != "float32":
        flat = tensor.data.reshape(-1, channels).astype(np.int64)
        return Interval(flat.min(0), flat.max(0))
    if interval is not None:
        return interval
    info = np.iinfo(np.int64 if tensor.dtype == "float32" else tensor.dtype)
    return Interval(np.full(channels, info.min, np.int64), np.full(channels, info.max, np.int64))


def spread(interval: Interval, channels: int) -> Interval:
    """The interval over another number of channels: the same where it fits, else the union for all."""
    if interval.low.shape[0] == channels:
        return interval
    return Interval(np.full(channels, interval.low.min(), np.int64), np.full(channels, interval.high.max(), np.int64))


def is_unsigned(view: View) -> bool:
    """Whether a QUANTIZED node is one of a uint8 model, whose kernels in TensorFlow Lite differ in the last bit.

    The importer makes int8 of such models, and gives these nodes the attribute `unsigned`.
    """
    return bool(view.node.attrs.get("unsigned", 0))
