"""Recurrent operators as .tflite files with variable tensors, made of QUANTIZED nodes, and run by LiteRT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import flatbuffers
import numpy as np
import oracle
import tflite

from edgekc.fuzzing import tflite_file
from edgekc.fuzzing.layers import Builder
from edgekc.fuzzing.recurrent import hidden_quant, lstm_constants
from edgekc.fuzzing.recurrent_file import PLACES
from edgekc.fuzzing.values import Rng, tensor
from edgekc.graph.ir import Array, Node, Quant, Tensor, constant
from edgekc.graph.op import View


def lstm(b: Builder, x: Tensor, units: int, bits: int, clip: float) -> View:
    """A random node on `x` (1, steps, inputs); `bits`: integer bits of a cell."""
    hidden = hidden_quant(b)
    kept = tensor("kept", (1, 3, units), hidden)
    operands = [x, kept, *lstm_constants(b, "", x.q, hidden, x.shape[2], units)]
    scale = 2.0 ** (bits - 15)
    most = int(min(np.float32(clip) / np.float32(scale), 32767))
    node = Node(
        "sequence_lstm", "y", tuple(t.name for t in operands), ("y",), dict(cell_bits=bits, clip=most, cell_clip=clip)
    )
    return View(node, tuple(operands), (tensor("y", (1, x.shape[1] + 2, units), hidden),))


def file(
    view: View,
    time_major: bool = False,
    more: Mapping[int, Tensor] | None = None,
    changed: Mapping[str, Tensor] | None = None,
    options: Mapping[str, Any] | None = None,
    intermediates: int = 5,
) -> bytes:
    """The .tflite file of a node that `lstm` made, behind a reshape: its input may have the time in front.

    Args:
        more: further operands, by their position.
        changed: tensors in place of those of these names: hidden, cell, out, inside, and those of the node.
        options: in place of the usual ones.
    """
    steps, units = view.x.shape[1], view.out.shape[2]
    scale = 2.0 ** (view["cell_bits"] - 15)
    hidden = tensor("hidden", (1, units), view.out.q)
    named = [
        tensor("x", (steps, 1, view.x.shape[2]) if time_major else view.x.shape, view.x.q),
        *view.inputs[2:],
        hidden,
        Tensor("cell", (1, units), "int16", Quant((scale,), (0,))),
    ]
    places = [*zip(PLACES, named, strict=True), *(more or {}).items()]
    ends = [tensor("out", (steps, 1, units) if time_major else (1, steps, units), view.out.q)]
    inner = [*(Tensor(f"gate{k}", (0,), "float32") for k in range(4)), tensor("inside", (0,), view.out.q)]
    edge = [tensor("edge", view.x.shape, view.x.q)]
    tensors = [*(t for _, t in places), *ends, *inner, *edge]
    tensors = [(changed or {}).get(t.name, t) for t in tensors]
    first = len(places)

    b = flatbuffers.Builder(1024)
    buffers, tables = [tflite_file.table(b, "Buffer")], []
    for t in tensors:
        slot = 0
        if t.data is not None:
            data = b.CreateByteVector(np.ascontiguousarray(t.data).tobytes())
            slot = len(buffers)
            buffers.append(tflite_file.table(b, "Buffer", Data=data))
        tables.append(tflite_file.tensor_table(b, t, slot, variable=t.name in ("hidden", "cell")))
    indices = [-1] * 24
    for i, (place, _) in enumerate(places):
        indices[place] = i
    fields = dict(
        FusedActivationFunction=tflite.ActivationFunctionType.TANH,
        CellClip=float(view.node.attrs["cell_clip"]),
        TimeMajor=time_major,
    )
    table = tflite_file.table(b, "UnidirectionalSequenceLSTMOptions", **{**fields, **(options or {})})
    lists = dict(
        Inputs=tflite_file.vector(b, indices, "int32"),
        Outputs=tflite_file.vector(b, [first], "int32"),
        Intermediates=tflite_file.vector(b, range(first + 1, first + 1 + intermediates), "int32"),
    )
    kind = tflite.BuiltinOptions.UnidirectionalSequenceLSTMOptions
    node = tflite_file.table(b, "Operator", OpcodeIndex=0, **lists, BuiltinOptions=table, BuiltinOptionsType=kind)
    reshape = dict(
        Inputs=tflite_file.vector(b, [len(tensors) - 1], "int32"), Outputs=tflite_file.vector(b, [0], "int32")
    )
    shape = tflite_file.table(b, "ReshapeOptions", NewShape=tflite_file.vector(b, tensors[0].shape, "int32"))
    options_kind = tflite.BuiltinOptions.ReshapeOptions
    first_node = tflite_file.table(
        b, "Operator", OpcodeIndex=1, **reshape, BuiltinOptions=shape, BuiltinOptionsType=options_kind
    )
    graph = tflite_file.table(
        b,
        "SubGraph",
        Tensors=tflite_file.offsets(b, tables),
        Operators=tflite_file.offsets(b, [first_node, node]),
        Inputs=tflite_file.vector(b, [len(tensors) - 1], "int32"),
        Outputs=tflite_file.vector(b, [first], "int32"),
    )
    numbers = tflite.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, tflite.BuiltinOperator.RESHAPE
    codes = [tflite_file.table(b, "OperatorCode", BuiltinCode=n, DeprecatedBuiltinCode=n, Version=1) for n in numbers]
    lists = dict(OperatorCodes=tflite_file.offsets(b, codes), Subgraphs=tflite_file.offsets(b, [graph]))
    b.Finish(tflite_file.table(b, "Model", Version=3, **lists, Buffers=tflite_file.offsets(b, buffers)), b"TFL3")
    return bytes(b.Output())


def run(view: View, values: Sequence[Array]) -> list[Array]:
    """The node's output as LiteRT has it: hidden values of all steps, and the bytes of the cells."""
    x, kept = values
    module = oracle._interpreter_module()
    runner = module.Interpreter(
        model_content=file(view), experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1
    )
    runner.allocate_tensors()
    places = {d["name"]: d["index"] for d in runner.get_tensor_details()}
    runner.set_tensor(places["hidden"], kept[:, 0])
    runner.set_tensor(places["cell"], np.ascontiguousarray(kept[:, 1:]).reshape(1, -1).view("<i2"))
    runner.set_tensor(places["edge"], x)
    runner.invoke()
    cells = runner.get_tensor(places["cell"]).astype("<i2").view(np.int8).reshape(1, 2, -1)
    return [np.concatenate([runner.get_tensor(places["out"]), cells], 1)]


def float_file(seed: int, options: Mapping[str, Any] | None = None, **changed: Tensor) -> tuple[bytes, View]:
    """The file of a random node in float, and the node; every third one has the time in front."""
    view, rng = made(seed)
    numbers = []
    for t in view.inputs[2:]:
        value = rng.normal(0, 1 / np.sqrt(t.shape[-1]), t.shape).astype(np.float32)
        numbers.append(constant(t.name, value, t.role))
    x, (_, rows, units) = view.x, view.out.shape
    steps, time_major = rows - 2, seed % 3 == 0
    shapes = dict(x=(steps, 1, x.shape[2]) if time_major else x.shape, edge=x.shape)
    shapes |= dict(out=(steps, 1, units) if time_major else (1, steps, units), hidden=(1, units), cell=(1, units))
    reals = {name: Tensor(name, shape, "float32") for name, shape in shapes.items()}
    view = replace(view, inputs=(x, view.inputs[1], *numbers))
    return file(view, time_major, changed={**reals, **changed}, options=options, intermediates=0), view


def made(seed: int) -> tuple[View, Rng]:
    """A random node, every second one with extreme scales."""
    rng = np.random.default_rng([seed, 60])
    b = Builder(rng, extreme=seed % 2 == 1)
    steps, depth, units = (int(v) for v in rng.integers(1, 9, 3))
    x = tensor("x", (1, steps, depth), b.quant())
    return lstm(b, x, units, seed % 7, (0.0, 10.0, 0.5)[seed % 3]), rng
