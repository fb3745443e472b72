"""SVDF as a .tflite file with a variable tensor, made of a QUANTIZED node, and run by LiteRT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
import oracle
import tflite

from edgekc.fuzzing import tflite_file
from edgekc.fuzzing.layers import Builder
from edgekc.fuzzing.recurrent import svdf_constants
from edgekc.fuzzing.values import Rng, quant, tensor
from edgekc.graph.ir import Array, Node, Quant, Tensor
from edgekc.graph.op import View


def svdf(b: Builder, x: Tensor, units: int, rank: int, steps: int) -> View:
    """A random node on `x` (1, inputs)."""
    filters = units * rank
    state = quant(float(np.exp(b.rng.uniform(-12, -7)))).scale
    y = tensor("y", (1, 2 * filters * steps + units), b.quant())
    kept = tensor("kept", (1, 2 * filters * steps), y.q)
    operands = [x, kept, *svdf_constants(b, "", x.q, y.q, state, x.shape[1], units, rank, steps)]
    node = Node("memory_filters", "y", tuple(t.name for t in operands), ("y",), dict(state_scale=state))
    return View(node, tuple(operands), (y,))


def file(
    view: View,
    changed: Mapping[str, Tensor | None] | None = None,
    activation: int = tflite.ActivationFunctionType.RELU,
    rank: int | None = None,
) -> bytes:
    """The .tflite file of a node that `svdf` made.

    Args:
        changed: tensors in place of those of these names: state, out, and those of the node; None: left out.
        rank: in place of the node's own.
    """
    _, _, feature, time, bias = view.inputs
    units, filters = bias.shape[0], feature.shape[0]
    state = Tensor("state", (1, time.value.size), "int16", Quant((float(view.node.attrs["state_scale"]),), (0,)))
    named: list[Tensor | None] = [view.x, feature, time, bias, state, tensor("out", (1, units), view.out.q)]
    named = [(changed or {}).get(t.name, t) for t in named if t is not None]
    there = [t for t in named if t is not None]
    places = [-1 if t is None else there.index(t) for t in named]

    b = flatbuffers.Builder(1024)
    buffers, tables = [tflite_file.table(b, "Buffer")], []
    for t in there:
        slot = 0
        if t.data is not None:
            data = b.CreateByteVector(np.ascontiguousarray(t.data).tobytes())
            slot = len(buffers)
            buffers.append(tflite_file.table(b, "Buffer", Data=data))
        tables.append(tflite_file.tensor_table(b, t, slot, variable=t.name == "state"))
    options = tflite_file.table(
        b, "SVDFOptions", Rank=filters // units if rank is None else rank, FusedActivationFunction=activation
    )
    lists = dict(Inputs=tflite_file.vector(b, places[:5], "int32"), Outputs=tflite_file.vector(b, places[5:], "int32"))
    kind = tflite.BuiltinOptions.SVDFOptions
    node = tflite_file.table(b, "Operator", OpcodeIndex=0, **lists, BuiltinOptions=options, BuiltinOptionsType=kind)
    ends = dict(Inputs=tflite_file.vector(b, places[:1], "int32"), Outputs=tflite_file.vector(b, places[5:], "int32"))
    parts = dict(Tensors=tflite_file.offsets(b, tables), Operators=tflite_file.offsets(b, [node]))
    graph = tflite_file.table(b, "SubGraph", **parts, **ends)
    number = tflite.BuiltinOperator.SVDF
    code = tflite_file.table(b, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=number, Version=1)
    lists = dict(OperatorCodes=tflite_file.offsets(b, [code]), Subgraphs=tflite_file.offsets(b, [graph]))
    b.Finish(tflite_file.table(b, "Model", Version=3, **lists, Buffers=tflite_file.offsets(b, buffers)), b"TFL3")
    return bytes(b.Output())


def run(view: View, values: Sequence[Array]) -> list[Array]:
    """The node's output as LiteRT has it: the bytes of the memory, and the units."""
    x, kept = values
    module: Any = oracle._interpreter_module()
    runner = module.Interpreter(
        model_content=file(view), experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1
    )
    runner.allocate_tensors()
    places = {d["name"]: d["index"] for d in runner.get_tensor_details()}
    runner.set_tensor(places["state"], np.ascontiguousarray(kept).view("<i2"))
    runner.set_tensor(places["x"], x)
    runner.invoke()
    memory = runner.get_tensor(places["state"]).astype("<i2").view(np.int8).reshape(1, -1)
    return [np.concatenate([memory, runner.get_tensor(places["out"])], 1)]


def made(seed: int) -> tuple[View, Rng]:
    """A random node, every second one with extreme scales."""
    rng = np.random.default_rng([seed, 63])
    b = Builder(rng, extreme=seed % 2 == 1)
    depth, units, rank, steps = (int(v) for v in rng.integers(1, (40, 9, 4, 12)))
    return svdf(b, tensor("x", (1, depth), b.quant()), units, rank, steps), rng
