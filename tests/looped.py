"""Int8 .tflite files with a loop over time as converters write it: a counter, a sequence to read, one to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import oracle

from edgekc.fuzzing.layers import SIGNED_UNIT, Builder, linear
from edgekc.fuzzing.values import f32, tensor
from edgekc.graph.ir import Array, Quant, Tensor
from edgekc.graph.op import View


@dataclass(frozen=True, slots=True)
class Cell:
    """Nodes from `x` (1, inputs) and `hidden` (1, units) to `out`, which is quantised as `hidden`."""

    views: tuple[View, ...]
    x: Tensor
    hidden: Tensor
    out: Tensor


def random_cell(seed: int, inputs: int = 5, units: int = 4) -> Cell:
    """tanh of a sum of two layers, times a gate, plus the rest of the old value: half of a GRU."""
    b = Builder(np.random.default_rng([seed, 69]), extreme=False)
    x, hidden = tensor("x", (1, inputs), b.quant()), tensor("hidden", (1, units), SIGNED_UNIT)
    parts = []
    for t in (x, hidden, x):
        w = b.rng.integers(-127, 128, (units, t.shape[1])).astype(np.int8)
        parts.append(linear(b, "fully_connected", {}, t, w, 0, (1, units), bias=b.chance(0.5), bounded=True))
    total = _emit(b, "add", {"activation": "none"}, parts[:2], Quant((f32(0.03),), (b.zero(),)))
    new = _emit(b, "tanh", {}, [total], SIGNED_UNIT)
    gate = _emit(b, "logistic", {}, [parts[2]], Quant((1 / 256,), (-128,)))
    kept = _emit(b, "mul", {"activation": "none"}, [gate, hidden], SIGNED_UNIT)
    out = _emit(b, "add", {"activation": "none"}, [kept, new], SIGNED_UNIT)
    return Cell(tuple(b.views), x, hidden, out)


def _emit(b: Builder, op: str, attrs: dict[str, Any], inputs: Sequence[Tensor], q: Quant) -> Tensor:
    return b.emit(op, attrs, inputs, b.new(op, inputs[0].shape, q))


class _Writer:
    """A model in the schema's own objects, under construction."""

    def __init__(self, schema: Any, model: Any) -> None:
        self.s, self.model = schema, model

    def tensor(self, graph: Any, name: str, shape: Sequence[int], kind: str, q: Quant | None = None,
               value: Array | None = None) -> int:  # fmt: skip
        t = self.s.TensorT()
        t.name, t.shape, t.type, t.buffer = (
            name.encode(),
            np.array(shape, np.int32),
            getattr(self.s.TensorType, kind),
            0,
        )
        if q is not None:
            t.quantization = self.s.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = list(q.scales), list(q.zero_points)
        if value is not None:
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(self.s.BufferT())
            self.model.buffers[-1].data = np.frombuffer(value.tobytes(), np.uint8)
        graph.tensors.append(t)
        return len(graph.tensors) - 1

    def ints(self, graph: Any, values: Any) -> int:
        value = np.array(values, np.int32)
        return self.tensor(graph, f"k{len(graph.tensors)}", value.shape, "INT32", None, value)

    def operator(self, graph: Any, builtin: str, inputs: Sequence[int], outputs: Sequence[int], kind: str = "",
                 **fields: Any) -> None:  # fmt: skip
        number, op = getattr(self.s.BuiltinOperator, builtin), self.s.OperatorT()
        codes = self.model.operatorCodes
        if number not in [c.builtinCode for c in codes]:
            codes.append(self.s.OperatorCodeT())
            codes[-1].builtinCode, codes[-1].deprecatedBuiltinCode, codes[-1].version = number, min(number, 127), 1
        op.opcodeIndex = [c.builtinCode for c in codes].index(number)
        op.inputs, op.outputs = list(inputs), list(outputs)
        if kind:
            op.builtinOptionsType, op.builtinOptions = (
                getattr(self.s.BuiltinOptions, kind),
                getattr(self.s, f"{kind}T")(),
            )
            for name, value in fields.items():
                setattr(op.builtinOptions, name, value)
        graph.operators.append(op)

    def graph(self) -> Any:
        graph = self.s.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        return graph


def model(schema: Any, cell: Cell, steps: int, first: Array, sequence: bool) -> Any:
    """The loop of a cell over `steps`, in the schema's objects: subgraphs main, condition, body.

    Args:
        first: the hidden value in front of the first step, int8.
        sequence: the output is what all steps give, one row each; else what the last gives.
    """
    data = oracle.network(cell.views, [cell.x.name, cell.hidden.name], [cell.out.name])
    w = _Writer(schema, schema.ModelT.InitFromPackedBuf(bytearray(data), 0))
    body, main, test = w.model.subgraphs[0], w.graph(), w.graph()
    w.model.subgraphs = [main, test, body]
    (x, hidden), (out,) = body.inputs, body.outputs
    rows, width = cell.x.shape[1], cell.out.shape[1]
    kept = (steps, 1, width) if sequence else (1, 1, width)

    def variables(graph: Any, hidden_at: int | None = None) -> list[int]:
        """Counter, time, list, hidden value, sequence."""
        return [
            w.tensor(graph, "counter", (), "INT32"),
            w.tensor(graph, "time", (), "INT32"),
            w.tensor(graph, "list", kept, "INT8", cell.out.q),
            w.tensor(graph, "hidden", (1, width), "INT8", cell.out.q) if hidden_at is None else hidden_at,
            w.tensor(graph, "sequence", (steps, 1, rows), "INT8", cell.x.q),
        ]

    test.inputs = variables(test)
    less = [w.tensor(test, f"less{i}", (), "BOOL") for i in range(3)]
    limit = w.ints(test, steps)
    for i in range(2):
        w.operator(test, "LESS", [test.inputs[i], limit], [less[i]], "LessOptions")
    w.operator(test, "LOGICAL_AND", less[:2], [less[2]], "LogicalAndOptions")
    test.outputs = [less[2]]

    inside = variables(body, int(hidden))
    one = w.ints(body, 1)
    after = [w.tensor(body, f"next{i}", (), "INT32") for i in range(2)]
    own, body.operators = body.operators, []
    for i in range(2):
        w.operator(body, "ADD", [inside[i], one], [after[i]], "AddOptions")
    w.operator(body, "GATHER", [inside[4], inside[1]], [x], "GatherOptions")
    body.operators += own
    row = w.tensor(body, "row", (1, 1, width), "INT8", cell.out.q)
    w.operator(body, "RESHAPE", [out, w.ints(body, [1, 1, width])], [row])
    written = _written(w, body, inside, after, row, width, steps) if sequence else row
    body.inputs, body.outputs = inside, [*after, written, out, inside[4]]

    given = w.tensor(main, "given", (1, steps, rows), "INT8", cell.x.q)
    zero = w.ints(main, 0)
    blank = w.tensor(main, "blank", kept, "INT8", cell.out.q, np.full(kept, 7, np.int8))
    start = w.tensor(main, "first", (1, width), "INT8", cell.out.q, first.astype(np.int8))
    turned = w.tensor(main, "turned", (steps, 1, rows), "INT8", cell.x.q)
    w.operator(main, "RESHAPE", [given, w.ints(main, [steps, 1, rows])], [turned])
    ends = variables(main)
    options = dict(condSubgraphIndex=1, bodySubgraphIndex=2)
    w.operator(main, "WHILE", [zero, zero, blank, start, turned], ends, "WhileOptions", **options)
    result = w.tensor(main, "result", (1, kept[0], width), "INT8", cell.out.q)
    w.operator(main, "RESHAPE", [ends[2], w.ints(main, [1, kept[0], width])], [result])
    main.inputs, main.outputs = [given], [result, ends[3]]
    return w.model


def _written(w: _Writer, body: Any, inside: list[int], after: list[int], row: int, width: int, steps: int) -> int:
    """The list with the row of this step: what is in front of it, the row, and what is behind."""
    q = Quant(tuple(body.tensors[row].quantization.scale), tuple(body.tensors[row].quantization.zeroPoint))
    parts = []
    for name, begin in (("before", False), ("behind", True)):
        at = w.tensor(body, f"{name}_at", (1,), "INT32")
        w.operator(body, "RESHAPE", [after[1] if begin else inside[1], w.ints(body, [1])], [at])
        place = w.tensor(body, f"{name}_place", (3,), "INT32")
        rest = w.ints(body, [0, 0] if begin else [-1, -1])
        w.operator(body, "CONCATENATION", [at, rest], [place], "ConcatenationOptions")
        part = w.tensor(body, name, (1, 1, width), "INT8", q)
        body.tensors[part].shapeSignature = np.full(3, -1, np.int32)  # LiteRT sees the shape at run time
        bounds = [place, w.ints(body, [-1, -1, -1])] if begin else [w.ints(body, [0, 0, 0]), place]
        w.operator(body, "SLICE", [inside[2], *bounds], [part], "SliceOptions")
        parts.append(part)
    made = w.tensor(body, "written", (steps, 1, width), "INT8", q)
    w.operator(body, "CONCATENATION", [parts[0], row, parts[1]], [made], "ConcatenationOptions")
    return made


def packed(model: Any) -> bytes:
    """The file of a model in the schema's objects."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def file(seed: int, steps: int, sequence: bool) -> bytes:
    """The file of the loop of a random cell."""
    from ai_edge_litert import schema_py_generated as schema

    cell = random_cell(seed)
    return packed(model(schema, cell, steps, np.full(cell.hidden.shape, 5 * seed), sequence))
