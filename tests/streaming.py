"""Streaming networks as .tflite files: nodes of a QUANTIZED graph, and variables that each step reads and assigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import oracle
import tflite

from edgekc.fuzzing import tflite_file
from edgekc.fuzzing.file_operators import inputs_of
from edgekc.fuzzing.layers import PROBABILITY, Builder, linear
from edgekc.fuzzing.nets import LAYERS
from edgekc.fuzzing.values import f32, tensor
from edgekc.graph.ir import Array, AttrValue, Quant, Tensor
from edgekc.graph.op import View


@dataclass(frozen=True, slots=True)
class Variable:
    """What is read into `read` when a step starts, and assigned from the tensor `kept`; "" where it never is."""

    name: str
    read: Tensor
    kept: str
    first: Array


def model(
    views: Sequence[View], inputs: Sequence[Tensor], outputs: Sequence[str], variables: Sequence[Variable]
) -> bytes:
    """The .tflite file. Variables are read before all nodes and assigned behind them, and CALL_ONCE starts them."""
    b = flatbuffers.Builder(1024)
    buffers = [tflite_file.table(b, "Buffer")]
    codes: dict[str, int] = {}
    operands = [inputs_of(view) for view in views]
    rows = [t for view, row in zip(views, operands, strict=True) for t in (*row, *view.outputs)]
    sources = {t.name: t for t in (*inputs, *(v.read for v in variables), *rows)}
    tables = [_tensor(b, t, buffers) for t in sources.values()]
    index = {name: i for i, name in enumerate(sources)}
    handles = {v.name: len(tables) + i for i, v in enumerate(variables)}
    tables += [_handle_tensor(b, v.name) for v in variables]

    once = tflite_file.table(b, "CallOnceOptions", InitSubgraphIndex=1)
    operators = [_operator(b, codes, "CALL_ONCE", [], [], "CallOnceOptions", once)]
    operators += [_var_handle(b, codes, v.name, handles[v.name]) for v in variables]
    operators += [_operator(b, codes, "READ_VARIABLE", [handles[v.name]], [index[v.read.name]]) for v in variables]
    operators += [
        tflite_file.operator(b, view, [index[t.name] for t in row], [index[t.name] for t in view.outputs], codes)
        for view, row in zip(views, operands, strict=True)
    ]
    operators += [
        _operator(b, codes, "ASSIGN_VARIABLE", [handles[v.name], index[v.kept]], []) for v in variables if v.kept
    ]
    ends = dict(
        Inputs=tflite_file.vector(b, [index[t.name] for t in inputs], "int32"),
        Outputs=tflite_file.vector(b, [index[n] for n in outputs], "int32"),
    )
    parts = dict(Tensors=tflite_file.offsets(b, tables), Operators=tflite_file.offsets(b, operators))
    graphs = [tflite_file.table(b, "SubGraph", **parts, **ends), _first_values(b, codes, buffers, variables)]
    code_tables = [tflite_file.operator_code(b, builtin) for builtin in codes]
    lists = dict(OperatorCodes=tflite_file.offsets(b, code_tables), Subgraphs=tflite_file.offsets(b, graphs))
    root = tflite_file.table(b, "Model", Version=3, **lists, Buffers=tflite_file.offsets(b, buffers))
    b.Finish(root, b"TFL3")
    return bytes(b.Output())


def interpret(file: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """LiteRT's outputs of each step of a sequence, under its reference kernels."""
    module = oracle._interpreter_module()
    runner = module.Interpreter(
        model_content=file, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1
    )
    runner.allocate_tensors()
    found = []
    for inputs in samples:
        oracle._invoke(runner, inputs)
        found.append([runner.get_tensor(detail["index"]) for detail in runner.get_output_details()])
    return found


def _first_values(
    b: flatbuffers.Builder, codes: dict[str, int], buffers: list[int], variables: Sequence[Variable]
) -> int:
    tables, operators = [], []
    for v in variables:
        handle, value = len(tables), Tensor(f"{v.name}/first", v.first.shape, v.first.dtype.name, v.read.quant)
        tables += [_handle_tensor(b, v.name), _tensor(b, _with(value, v.first), buffers)]
        operators += [
            _var_handle(b, codes, v.name, handle),
            _operator(b, codes, "ASSIGN_VARIABLE", [handle, handle + 1], []),
        ]
    nothing = [tflite_file.vector(b, [], "int32") for _ in range(2)]
    parts = dict(Tensors=tflite_file.offsets(b, tables), Operators=tflite_file.offsets(b, operators))
    return tflite_file.table(b, "SubGraph", **parts, Inputs=nothing[0], Outputs=nothing[1])


def _with(t: Tensor, value: Array) -> Tensor:
    return Tensor(t.name, t.shape, t.dtype, t.quant, data=value)


def _tensor(b: flatbuffers.Builder, t: Tensor, buffers: list[int]) -> int:
    slot = 0
    if t.data is not None:
        data = b.CreateByteVector(np.ascontiguousarray(t.data).tobytes())
        slot = len(buffers)
        buffers.append(tflite_file.table(b, "Buffer", Data=data))
    return tflite_file.tensor_table(b, t, slot)


def _handle_tensor(b: flatbuffers.Builder, name: str) -> int:
    fields = dict(Name=b.CreateString(f"{name}/handle"), Shape=tflite_file.vector(b, [], "int32"))
    return tflite_file.table(b, "Tensor", **fields, Type=tflite.TensorType.RESOURCE, Buffer=0)


def _var_handle(b: flatbuffers.Builder, codes: dict[str, int], name: str, output: int) -> int:
    options = tflite_file.table(b, "VarHandleOptions", Container=b.CreateString(""), SharedName=b.CreateString(name))
    return _operator(b, codes, "VAR_HANDLE", [], [output], "VarHandleOptions", options)


def _operator(
    b: flatbuffers.Builder, codes: dict[str, int], builtin: str, inputs: Sequence[int], outputs: Sequence[int],
    kind: str = "", options: int | None = None,
) -> int:  # fmt: skip
    ends: dict[str, Any] = dict(
        Inputs=tflite_file.vector(b, inputs, "int32"), Outputs=tflite_file.vector(b, outputs, "int32")
    )
    place = codes.setdefault(builtin, len(codes))
    number = getattr(tflite.BuiltinOptions, kind) if kind else None
    return tflite_file.table(
        b, "Operator", OpcodeIndex=place, **ends, BuiltinOptions=options, BuiltinOptionsType=number
    )


@dataclass(frozen=True, slots=True)
class StreamingNet:
    """A random network of which some inputs are variables."""

    file: bytes
    inputs: tuple[Tensor, ...]

    def samples(self, count: int) -> list[list[Array]]:
        rng = np.random.default_rng(len(self.file))
        return [[rng.integers(-128, 128, t.shape).astype(t.dtype) for t in self.inputs] for _ in range(count)]


def random_streaming(seed: int) -> StreamingNet:
    """One input, one to four variables of its shape, layers of random networks.

    A variable keeps what a layer made, the input, another variable, or itself, as long as none takes what takes it.
    """
    rng = np.random.default_rng([seed, 13])
    b = Builder(rng, extreme=False)
    shape = (1, b.between(1, 5), b.between(1, 5), b.between(1, 9))
    x = tensor("input", shape, b.quant())
    reads = [tensor(f"state_{i}", shape, b.quant()) for i in range(b.between(1, 4))]
    b.live += [x, *reads]
    layers, weights = list(LAYERS), np.array(list(LAYERS.values()))
    for _ in range(60):
        if len(b.views) >= 9:
            break
        recent = b.live[-4:] if b.chance(0.5) else b.live
        layers[rng.choice(len(layers), p=weights / weights.sum())](b, recent[b.between(0, len(recent) - 1)])
    written = [v.out for v in b.views if v.out.dtype == "int8" and v.out.shape == shape]
    variables = []
    for i, read in enumerate(reads):
        source = [*written, *written, x, *reads[: i + 1]]
        kept = source[b.between(0, len(source) - 1)].name if b.chance(0.9) else ""
        first = rng.integers(-128, 128, shape) if b.chance(0.5) else np.full(shape, read.q.zero_point)
        variables.append(Variable(f"variable_{i}", read, kept, first.astype(np.int8)))
    roots = {x.name, *(r.name for r in reads)}
    outputs = [v.out.name for v in b.views if v.out.dtype == "int8" and b.roots[v.out.name] not in roots][-1:]
    file = model(b.views, [x], outputs, variables)
    return StreamingNet(file, (x,))


def wake_word(seed: int = 0) -> StreamingNet:
    """As wake words are made: each layer's window over time is a variable, to which the newest rows are joined."""
    b = Builder(np.random.default_rng([seed, 14]), extreme=False)
    frames = tensor("frames", (1, 3, 8), Quant((f32(0.1),), (-128,)))
    image = b.emit("reshape", {}, [frames], tensor("image", (1, 3, 1, 8), frames.q))
    variables: list[Variable] = []
    x = _window(b, variables, image, 2)
    x = _filtered(b, "conv2d", x, (16, 5, 1, 8), 0)
    x = _window(b, variables, x, 6)
    halves = [_rows(b, x, (0, 0, 0, at), (1, 7, 1, 8)) for at in (0, 8)]
    parts = [
        _filtered(b, "depthwise", halves[0], (1, 7, 1, 8), 3),
        _filtered(b, "depthwise", _rows(b, halves[1], (0, 4, 0, 0), (1, 3, 1, 8)), (1, 3, 1, 8), 3),
    ]
    both = b.quant()
    parts = [b.emit("quantize", {}, [part], b.new("quantize", part.shape, both)) for part in parts]
    x = b.emit("concat", {"axis": 3, "activation": "none"}, parts, b.new("concat", (1, 1, 1, 16), both))
    x = _filtered(b, "fully_connected", x, (1, 16), 0)
    x = b.emit("logistic", {}, [x], b.new("logistic", x.shape, PROBABILITY))
    x = b.emit("quantize", {}, [x], b.new("quantize", x.shape, Quant((1 / 256,), (0,)), "uint8"))
    return StreamingNet(model(b.views, [frames], [x.name], variables), (frames,))


def _window(b: Builder, variables: list[Variable], x: Tensor, rows: int) -> Tensor:
    """The last `rows` rows of earlier steps in front of those of this one."""
    _, new, *rest = x.shape
    read = tensor(f"past_{len(variables)}", (1, rows, *rest), x.q)
    joined = b.emit(
        "concat", {"axis": 1, "activation": "none"}, [read, x], b.new("concat", (1, rows + new, *rest), x.q)
    )
    kept = _rows(b, joined, (0, new, 0, 0), read.shape)
    variables.append(
        Variable(f"stream_{len(variables)}", read, kept.name, np.full(read.shape, x.q.zero_point, np.int8))
    )
    return joined


def _rows(b: Builder, x: Tensor, begins: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    attrs = {"begins": begins, "sizes": sizes, "strides": (1,) * len(sizes)}
    text: dict[str, AttrValue] = {key: ",".join(map(str, value)) for key, value in attrs.items()}
    return b.emit("strided_slice", text, [x], b.new("strided_slice", sizes, x.q))


def _filtered(b: Builder, op: str, x: Tensor, shape: tuple[int, ...], axis: int) -> Tensor:
    """A layer whose window takes the whole input."""
    sizes = {f"{key}_{side}": 1 for key in ("stride", "dilation") for side in "hw"}
    sizes |= {f"pad_{side}": 0 for side in ("top", "bottom", "left", "right")}
    w = b.rng.integers(-127, 128, shape).astype(np.int8)
    out = (1, 1, 1, shape[axis])
    return linear(b, op, dict(sizes) if len(shape) == 4 else {}, x, w, axis, out, bounded=True)
