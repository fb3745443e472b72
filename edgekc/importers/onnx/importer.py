"""A .onnx file to a graph: float models to FLOAT, models in the QDQ form to QUANTIZED."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Graph
from .. import nchw
from ..builder import Builder, Value, constant_value, of_either_layout, real
from ..finish import fold_affine, numbered, tidy
from ..imported import Imported, SourceOperator
from . import file, fold, qdq
from .args import Args, pair, sides, two
from .file import FileModel, FileNode


def import_onnx(path: Path, name: str) -> Graph:
    """Turn a .onnx file (opset 11 to 22) into a graph called `name`.

    Inputs of four dimensions are taken as NCHW and become NHWC; where the model transposes them itself (as
    converters from TensorFlow write it), they are NHWC already and stay so.

    Raises:
        ModelError: the file is damaged, contradicts itself, or holds NaN.
        UnsupportedError: an operator, type or attribute that edgekc does not have; names node and operator.
    """
    return read_onnx(path, name).sound()


def read_onnx(path: Path, name: str) -> Imported:
    """As `import_onnx`, with what stands in the way beside the graph."""
    model = file.read(path)
    return of_either_layout(lambda last: _import(model, name, str(path), channels_last=last))


def _import(model: FileModel, name: str, where: str, channels_last: bool) -> Imported:
    is_qdq = any(node.op in ("QuantizeLinear", "DequantizeLinear") for node in model.nodes)
    b = Builder(where, quantized=is_qdq, channels_last=channels_last)
    values = {key: constant_value(data, key) for key, data in model.constants.items()}
    b.held_bytes = sum(data.nbytes for data in model.constants.values())
    inputs = []
    for k, item in enumerate(model.inputs):
        b.at = f"{where}: input {k} {item.name[:60]!r}"
        if item.dtype != "float32":
            raise b.unsupported(f"type {item.dtype}", "float32")
        values[item.name] = b.input(item.shape)
        inputs.append(values[item.name])
    loose: set[str] = set()  # what comes of refused nodes
    for node in model.nodes:
        b.at, b.source = f"{where}: {node.title}", node.index
        before, follows = len(b.nodes), not loose.isdisjoint(node.inputs)
        try:
            results = _checked_outputs(b, node, values, model, loose)
        except (UnsupportedError, ModelError) as error:
            if isinstance(error, UnsupportedError):
                b.refuse(error, node.outputs[0] if node.outputs else "")
            elif not follows:
                raise
            del b.nodes[before:]
            results, follows = [b.stand_in(model.shapes.get(key)) for key in node.outputs], True
        values.update((k, v) for k, v in zip(node.outputs, results, strict=False) if v is not None)
        loose.update(node.outputs if follows else ())
    for key in model.outputs:
        if key not in values and key not in loose:
            raise ModelError(f"output {key[:60]!r} is never computed", where=where)
    operators = [SourceOperator(n.index, n.op, n.outputs[0] if n.outputs else "") for n in model.nodes]
    outputs = [values[key] for key in model.outputs if key in values]
    return b.finished(
        name, inputs, outputs, lambda g: numbered(tidy(qdq.settle(g, b.places) if is_qdq else fold_affine(g))),
        operators,
    )  # fmt: skip


def _checked_outputs(
    b: Builder, node: FileNode, values: Mapping[str, Value], model: FileModel, loose: set[str]
) -> list[Value | None]:
    """What a node computes, of the shapes that the file states; None: of a refused node, and nothing is known of it."""
    for key in node.inputs:
        if key and key not in values and key not in loose:
            raise b.wrong(f"tensor {key[:60]!r} is read before it is computed, or is a further output")
    if any(key in loose and key not in values for key in node.inputs):
        if node.op not in (*_HANDLERS, *fold.FOLDABLE, "Shape"):
            raise b.missing(_HANDLERS)
        return [b.stand_in(model.shapes.get(key)) for key in node.outputs]
    results = _outputs(Args(b, node, values, model.opset), b.where)
    for key, value in zip(node.outputs, results, strict=False):
        b.check_stated(value.shape, model.shapes.get(key))
    return list(results)


def _outputs(a: Args, where: str) -> list[Value]:
    """What a node computes: constants where all its inputs are, else what its handler makes of it."""
    operands = [a.get(i) for i in range(len(a.node.inputs))]
    if a.node.op == "Shape" and operands and operands[0] is not None:
        shape = np.array(operands[0].shape, np.int64)
        return [constant_value(shape[a.attr("start", 0) : a.attr("end", None)], a.node.outputs[0])]
    foldable = all(v is None or (v.data is not None and v.quant is None) for v in operands)
    if foldable and a.node.op in fold.FOLDABLE:
        arrays = [None if v is None else v.data for v in operands]
        a.b.count_made(fold.folded_bytes(a.node, arrays))
        source = next((v.source for v in operands if v is not None and v.data is not None and v.data.ndim > 1), "")
        return [constant_value(r, source) for r in fold.fold(a.node, arrays, a.opset, where)]
    handler = _HANDLERS.get(a.node.op)
    if handler is None:
        raise a.b.missing(_HANDLERS)
    try:
        return [handler(a)]
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A handler trusts the types that the standard gives attributes; a damaged file keeps to none.
        raise a.b.wrong(f"attributes and operands do not fit ({type(error).__name__}: {error})") from error


def _conv(a: Args) -> Value:
    x, w = a.need(0, "input"), a.need(1, "weights")
    if len(x.shape) != 4 or len(w.shape) != 4:
        raise a.b.unsupported(
            f"convolution of a tensor of shape {list(x.shape)} with weights {list(w.shape)}", "4 dimensions"
        )
    kernel = pair(a, "kernel_shape", list(w.shape[2:]))
    if tuple(kernel) != w.shape[2:]:
        raise a.b.wrong(f"kernel_shape {kernel} does not fit weights of shape {list(w.shape)}")
    stride, dilation = pair(a, "strides", [1, 1]), pair(a, "dilations", [1, 1])
    pads = sides(a, x.shape[2:], kernel, stride, dilation)
    return nchw.conv(a.b, x, w, a.get(2), two(stride), two(dilation), pads, int(a.attr("group", 1)))


def _pool(op: str) -> Callable[[Args], Value]:
    def handler(a: Args) -> Value:
        x = a.need(0, "input")
        if len(x.shape) != 4:
            raise a.b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "4 dimensions")
        kernel = pair(a, "kernel_shape", [])
        stride, dilation = pair(a, "strides", [1, 1]), pair(a, "dilations", [1, 1])
        pads = sides(a, x.shape[2:], kernel, stride, dilation)
        ceil, counted = bool(a.attr("ceil_mode", 0)), bool(a.attr("count_include_pad", 0))
        return nchw.pool(a.b, op, x, two(kernel), two(stride), two(dilation), pads, ceil, counted)

    return handler


def _global_max_pool(a: Args) -> Value:
    x = a.need(0, "input")
    if len(x.shape) != 4:
        raise a.b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "4 dimensions")
    return nchw.pool(a.b, "max_pool", x, (x.shape[2], x.shape[3]), (1, 1), (1, 1), (0, 0, 0, 0), False)


def _global_average(a: Args) -> Value:
    x = a.need(0, "input")
    return nchw.mean(a.b, x, range(2, len(x.shape)), True)


def _reduce_mean(a: Args) -> Value:
    x, axes = a.need(0, "input"), a.ints(1, "axes", "axes")
    if not axes:
        if a.attr("noop_with_empty_axes", 0):
            return x
        axes = list(range(len(x.shape)))
    return nchw.mean(a.b, x, axes, bool(a.attr("keepdims", 1)))


def _gemm(a: Args) -> Value:
    x, w, c = a.need(0, "input"), a.need(1, "weights"), a.get(2)
    if a.attr("transA", 0):
        raise a.b.unsupported("transA 1", "transA 0")
    if w.data is None:
        raise a.b.unsupported("weights that are computed at run time", "constant weights")
    if len(w.shape) != 2:
        raise a.b.wrong(f"weights of shape {list(w.shape)}")
    if not a.attr("transB", 0):
        w = nchw.transpose(a.b, w, (1, 0))
    alpha, beta = float(a.attr("alpha", 1.0)), float(a.attr("beta", 1.0))
    if alpha != 1:
        if w.quant is not None:
            raise a.b.unsupported(f"alpha {alpha} of quantised weights", "1")
        w = constant_value(real(w) * alpha, w.source)
    if c is not None and beta != 1:
        c = constant_value(_real(a, c) * beta, c.source)
    if c is not None and c.data is not None and c.data.size not in (1, w.shape[0]):
        raise a.b.unsupported(f"a bias of shape {list(c.shape)}", f"one value for each of {w.shape[0]} outputs")
    return nchw.fully_connected(a.b, x, w, c)


def _real(a: Args, value: Value) -> Any:
    if value.data is None:
        raise a.b.unsupported("a factor of a tensor that is computed at run time", "constants")
    return real(value)


def _matmul(a: Args) -> Value:
    x, w = a.need(0, "input"), a.need(1, "weights")
    if x.data is not None or w.data is None:
        raise a.b.unsupported("a product of two activations, or a constant on the left", "activation times constant")
    if len(w.shape) != 2:
        raise a.b.unsupported(f"weights of shape {list(w.shape)}", "2 dimensions")
    return nchw.fully_connected(a.b, x, nchw.transpose(a.b, w, (1, 0)), None)


def _binary(op: str) -> Callable[[Args], Value]:
    return lambda a: nchw.binary(a.b, op, a.need(0, "a"), a.need(1, "b"))


def _sub(a: Args) -> Value:
    x, y = a.need(0, "a"), a.need(1, "b")
    if y.data is not None:
        return nchw.binary(a.b, "add", x, constant_value(-_plain(a, y), y.source))
    if x.data is None:
        raise a.b.unsupported("a difference of two activations", "one constant operand")
    negative = nchw.binary(a.b, "mul", y, constant_value(np.array(-1.0), ""))
    return nchw.binary(a.b, "add", negative, constant_value(_plain(a, x), x.source))


def _div(a: Args) -> Value:
    x, y = a.need(0, "a"), a.need(1, "b")
    if y.data is None:
        raise a.b.unsupported("division by an activation", "division by a constant")
    divisor = _plain(a, y)
    if (divisor == 0).any():
        raise a.b.wrong(f"division by zero (tensor {y.source!r})")
    return nchw.binary(a.b, "mul", x, constant_value(1.0 / divisor, y.source))


def _plain(a: Args, value: Value) -> Any:
    """A float constant; quantised ones would lose their stated scale."""
    if value.quant is not None:
        raise a.b.unsupported("a quantised constant", "Add and Mul of quantised constants")
    return real(value)


def _sum(a: Args) -> Value:
    total = a.need(0, "input")
    for i in range(1, len(a.node.inputs)):
        total = nchw.binary(a.b, "add", total, a.need(i, f"input {i}"))
    return total


def _clip(a: Args) -> Value:
    ends = []
    for position, what in ((1, "min"), (2, "max")):
        value = a.get(position)
        if value is not None and value.data is None:
            raise a.b.unsupported(f"{what} that is computed at run time", "constants")
        ends.append(None if value is None else float(real(value).ravel()[0]))
    limit = float(np.finfo(np.float32).max)  # how exporters write "no limit"
    low = None if ends[0] is not None and ends[0] <= -limit else ends[0]
    high = None if ends[1] is not None and ends[1] >= limit else ends[1]
    return nchw.clamp(a.b, a.need(0, "input"), low, high)


def _batch_norm(a: Args) -> Value:
    if a.attr("training_mode", 0):
        raise a.b.unsupported("batch normalisation in training mode", "inference mode")
    scale, shift, mean, var = (a.need(i, w) for i, w in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")))
    return nchw.batch_norm(a.b, a.need(0, "input"), scale, shift, mean, var, float(a.attr("epsilon", 1e-5)))


def _reshape(a: Args) -> Value:
    x, shape = a.need(0, "input"), a.ints(1, "shape", "dimensions")
    if shape is None:
        raise a.b.wrong("operand 1 (shape) is missing")
    if not a.attr("allowzero", 0):
        shape = [x.shape[i] if d == 0 and i < len(x.shape) else d for i, d in enumerate(shape)]
    return nchw.reshape(a.b, x, shape)


def _flatten(a: Args) -> Value:
    x, axis = a.need(0, "input"), int(a.attr("axis", 1))
    axis += len(x.shape) if axis < 0 else 0
    return nchw.reshape(a.b, x, (int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))))


def _squeeze(a: Args) -> Value:
    x, axes = a.need(0, "input"), a.ints(1, "axes", "axes")
    rank = len(x.shape)
    gone = {i for i, d in enumerate(x.shape) if d == 1} if axes is None else {i % rank for i in axes}
    return nchw.reshape(a.b, x, [d for i, d in enumerate(x.shape) if i not in gone])


def _unsqueeze(a: Args) -> Value:
    x, axes = a.need(0, "input"), a.ints(1, "axes", "axes") or []
    rank = len(x.shape) + len(axes)
    new, rest = {i % rank for i in axes}, iter(x.shape)
    return nchw.reshape(a.b, x, [1 if i in new else next(rest, 1) for i in range(rank)])


def _transpose(a: Args) -> Value:
    x = a.need(0, "input")
    return nchw.transpose(a.b, x, a.attr("perm", list(reversed(range(len(x.shape))))))


def _softmax(a: Args) -> Value:
    x = a.need(0, "input")
    axis = int(a.attr("axis", 1 if a.opset < 13 else -1))
    if a.opset < 13 and len(x.shape) > 0:  # older ones flatten everything from `axis` on
        rest = x.shape[axis % len(x.shape) :]
        if sum(d != 1 for d in rest) > 1:
            raise a.b.unsupported(f"softmax over axes {axis} and behind of shape {list(x.shape)}", "one axis")
        axis = len(x.shape) - len(rest) + next((i for i, d in enumerate(rest) if d != 1), 0)
    return nchw.softmax(a.b, x, axis)


def _concat(a: Args) -> Value:
    return nchw.concat(a.b, [a.need(i, f"input {i}") for i in range(len(a.node.inputs))], int(a.attr("axis", 0)))


def _pad(a: Args) -> Value:
    x, amounts, value, axes = a.need(0, "input"), a.ints(1, "pads", "pads") or [], a.get(2), a.ints(3, "axes", "axes")
    if a.text("mode", "constant") != "constant":
        raise a.b.unsupported(f"padding mode {a.text('mode', '')!r}", "constant")
    rank = len(x.shape)
    where = list(range(rank)) if axes is None else [i % rank for i in axes]
    if len(amounts) != 2 * len(where):
        raise a.b.wrong(f"pads {amounts} do not fit {len(where)} axes")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(where):
        pairs[axis] = (amounts[i], amounts[i + len(where)])
    fill = 0.0 if value is None or value.data is None or not value.data.size else float(real(value).ravel()[0])
    return nchw.pad(a.b, x, pairs, fill)


def _dropout(a: Args) -> Value:
    mode = a.get(2)
    if mode is not None and (mode.data is None or bool(mode.data.any())):
        raise a.b.unsupported("dropout in training mode", "inference mode")
    return a.need(0, "input")


def _cast(a: Args) -> Value:
    if a.attr("to", 0) != 1:  # onnx.TensorProto.FLOAT
        raise a.b.unsupported(f"a cast of an activation to type {a.attr('to', 0)}", "float32 (1)")
    return a.need(0, "input")


def _quantize(a: Args) -> Value:
    zero = a.get(2)
    names = {0: "uint8", 2: "uint8", 3: "int8"}
    declared = names.get(int(a.attr("output_dtype", 0)), f"type {a.attr('output_dtype', 0)}")
    dtype = declared if zero is None or zero.data is None else zero.data.dtype.name
    if a.attr("block_size", 0):
        raise a.b.unsupported("quantisation in blocks", "per tensor, per channel")
    return qdq.quantize(a.b, a.need(0, "input"), a.need(1, "scale"), zero, int(a.attr("axis", 1)), dtype)


def _dequantize(a: Args) -> Value:
    if a.attr("block_size", 0):
        raise a.b.unsupported("quantisation in blocks", "per tensor, per channel")
    return qdq.dequantize(a.b, a.need(0, "input"), a.need(1, "scale"), a.get(2), int(a.attr("axis", 1)))


_HANDLERS: dict[str, Callable[[Args], Value]] = {
    "Add": _binary("add"),
    "AveragePool": _pool("average_pool"),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Div": _div,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max_pool,
    "Identity": lambda a: a.need(0, "input"),
    "MatMul": _matmul,
    "MaxPool": _pool("max_pool"),
    "Mul": _binary("mul"),
    "Pad": _pad,
    "QuantizeLinear": _quantize,
    "ReduceMean": _reduce_mean,
    "Relu": lambda a: nchw.clamp(a.b, a.need(0, "input"), 0.0, None),
    "Reshape": _reshape,
    "Sigmoid": lambda a: nchw.unary(a.b, "logistic", a.need(0, "input")),
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Sub": _sub,
    "Sum": _sum,
    "Tanh": lambda a: nchw.unary(a.b, "tanh", a.need(0, "input")),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
