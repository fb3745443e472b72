"""The parts of an ONNX file that every form of a network has, and layers that only move integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph.ir import Array, Graph
from ..graph.op import View, int_attrs
from ..names import visible
from ..ops import OPS
from ..ops.shared import reduce

OPSET, IR_VERSION = 13, 8
INT8 = (-128, 127)


class Writer:
    """The ONNX graph as it grows. Tensors of four dimensions are NCHW in it."""

    def __init__(self, onnx: Any, graph: Graph) -> None:
        self.onnx, self.graph = onnx, graph
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.where: dict[str, str] = {}  # activations to tensors of theirs, NCHW

    # ---- parts ----

    def node(self, kind: str, inputs: Sequence[str], name: str, **attrs: Any) -> str:
        """One operator; its output has its name."""
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], name=f"{name}:{kind}", **attrs))
        return name

    def constant(self, name: str, value: Any, dtype: str) -> str:
        """An initializer; of two with a name the first."""
        if name not in self.constants:
            self.constants[name] = self.onnx.numpy_helper.from_array(np.asarray(value, dtype), name)
        return name

    def take_input(self, name: str) -> None:
        t = self.graph.tensors[name]
        self._declare(self.inputs, name)
        self.where[name] = name
        if len(t.shape) == 4:
            self.where[name] = self.node("Transpose", [name], f"{name}:nchw", perm=[0, 3, 1, 2])

    def give_output(self, name: str) -> None:
        self._declare(self.outputs, f"{name}:out")
        t, found = self.graph.tensors[name], self.where[name]
        if len(t.shape) == 4:
            self.node("Transpose", [found], f"{name}:out", perm=[0, 2, 3, 1])
        else:
            self.node("Identity", [found], f"{name}:out")

    def _declare(self, into: list[Any], name: str) -> None:
        t = self.graph.tensors[name.removesuffix(":out")]
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(t.dtype))
        into.append(self.onnx.helper.make_tensor_value_info(name, kind, list(t.shape)))

    def bytes(self) -> bytes:
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes, visible(self.graph.name), self.inputs, self.outputs, list(self.constants.values())
        )
        model = helper.make_model(
            graph, producer_name="edgekc", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        # What a packed model says of itself; `source_layout` is what a process knows of the arrays of its user.
        for key, value in sorted((k, v) for k, v in self.graph.metadata.items() if k != "source_layout"):
            model.metadata_props.add(key=key, value=value)
        self.onnx.checker.check_model(model)
        found: bytes = model.SerializeToString(deterministic=True)
        return found


def weights_of(view: View) -> Array:
    """The integers that a layer's constants stand for, as its dense operator has them."""
    make = OPS[view.node.op].weights
    if make is None:
        return view.weights.value.astype(np.int64)
    return make(int_attrs(view.node), [t.value for t in view.inputs if t.data is not None]).astype(np.int64)


def window_of(view: View, kernel: Sequence[int]) -> dict[str, Any]:
    pads = [view[f"pad_{side}"] for side in ("top", "left", "bottom", "right")]
    strides = [view["stride_h"], view["stride_w"]]
    return dict(kernel_shape=list(kernel), strides=strides, pads=pads)


def mean_axes(view: View) -> list[int]:
    """The axes that are averaged, as ONNX counts them in an image."""
    place = (0, 2, 3, 1) if len(view.x.shape) == 4 else tuple(range(len(view.x.shape)))
    axes = sorted(place[axis] for axis in reduce.axes_of(int_attrs(view.node)))
    images = [len(t.shape) == 4 for t in (view.x, view.out)]
    if any(images) and not all(images) and (images[1] or axes != [2, 3]):
        raise UnsupportedError("a mean of other axes than height and width has no form here", where=view.node.name)
    return axes


# ---- layers that only move integers ----


def _reshape(writer: Writer, view: View) -> None:
    """Of the integers, which keep their order: that of NHWC."""
    found, name = writer.where[view.x.name], view.out.name
    if len(view.x.shape) == 4:
        found = writer.node("Transpose", [found], f"{name}:nhwc", perm=[0, 2, 3, 1])
    shape = writer.constant(f"{name}:shape", np.asarray(view.out.shape), "int64")
    found = writer.node("Reshape", [found, shape], f"{name}:reshaped")
    if len(view.out.shape) == 4:
        found = writer.node("Transpose", [found], f"{name}:nchw", perm=[0, 3, 1, 2])
    writer.where[name] = found


def _concat(writer: Writer, view: View) -> None:
    axis = view["axis"] if len(view.out.shape) != 4 else (0, 2, 3, 1)[view["axis"]]
    parts = [writer.where[t.name] for t in view.inputs]
    writer.where[view.out.name] = writer.node("Concat", parts, f"{view.out.name}:q", axis=axis)


def _pad(writer: Writer, view: View) -> None:
    if len(view.out.shape) != 4:
        raise UnsupportedError("padding of other than images has no form in ONNX here", where=view.node.name)
    names = (("front", "top", "left"), ("back", "bottom", "right"))
    pads = [n for side in names for n in (0, *(view[f"pad_{end}"] for end in side))]
    amounts = writer.constant(f"{view.out.name}:pads", pads, "int64")
    value = writer.constant(f"{view.out.name}:pad_value", view["pad_value"], "int8")
    found = [writer.where[view.x.name], amounts, value]
    writer.where[view.out.name] = writer.node("Pad", found, f"{view.out.name}:q", mode="constant")


def _lut(writer: Writer, view: View) -> None:
    """An index below zero counts from the end of the table, which is just where the byte lies."""
    table = writer.constant(f"{view.node.name}:table", view.inputs[1].value, "int8")
    index = writer.node(
        "Cast", [writer.where[view.x.name]], f"{view.out.name}:index", to=int(writer.onnx.TensorProto.INT32)
    )  # fmt: skip
    writer.where[view.out.name] = writer.node("Gather", [table, index], f"{view.out.name}:q", axis=0)


# By operator.
MOVERS: dict[str, Callable[[Writer, View], None]] = {"reshape": _reshape, "concat": _concat, "pad": _pad, "lut": _lut}
