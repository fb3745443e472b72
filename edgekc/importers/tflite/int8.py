"""An int8 .tflite file to a QUANTIZED graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from ...errors import ModelError, UnsupportedError
from ...graph.ir import AttrValue, Graph, Node, Role, Stage, Tensor
from . import file, shapes
from .builder import MAX_DIM, Builder, graph_shape, node_name
from .file import FileOperator

_ACTIVATIONS = {0: "none", 1: "relu", 2: "relu_n1_to_1", 3: "relu6"}


def import_tflite(data: bytes, name: str, where: str) -> Graph:
    """Turn the bytes of an int8 model into a QUANTIZED graph called `name`.

    Raises:
        ModelError: the file is damaged or contradicts itself.
        UnsupportedError: an operator, type or attribute that edgekc does not have; names operator, index
            and tensor. Float models are refused here.
    """
    model = file.read(data, where)
    b = Builder(model, where)
    inputs = tuple(
        b.activation(model.tensors[i], "input" if k == 0 else f"input_{k}", f"{where}: input {k}")
        for k, i in enumerate(model.inputs)
    )
    for k, shape in enumerate(b.tensors[n].shape for n in inputs):
        if len(shape) > 1 and shape[0] != 1:
            raise UnsupportedError(f"batch size {shape[0]} of {list(shape)}; supported: 1", where=f"{where}: input {k}")
    outputs = b.walk(HANDLERS, "is not implemented")
    return Graph(name, Stage.QUANTIZED, b.tensors, tuple(b.nodes), inputs, outputs, {})


def activation(b: Builder, op: FileOperator) -> str:
    code = int(op.options["FusedActivationFunction"])
    if code not in _ACTIVATIONS:
        raise b.unsupported(op, f"fused activation number {code}", "none, RELU, RELU6, RELU_N1_TO_1")
    return _ACTIVATIONS[code]


def window(b: Builder, op: FileOperator, x: Tensor, k_h: int, k_w: int) -> dict[str, int]:
    """Window attributes with explicit padding (TFLite: the odd pixel of SAME goes to the end)."""
    if len(x.shape) != 4:
        raise b.unsupported(op, f"input of shape {list(x.shape)}", "4 dimensions, NHWC")
    padding = int(op.options["Padding"])
    if padding not in (0, 1):
        raise b.unsupported(op, f"padding number {padding}", "SAME, VALID")
    attrs: dict[str, int] = {}
    for axis, size, kernel, before, after in (
        ("h", x.shape[1], k_h, "pad_top", "pad_bottom"),
        ("w", x.shape[2], k_w, "pad_left", "pad_right"),
    ):
        stride = int(op.options[f"Stride{axis.upper()}"])
        dilation = int(op.options.get(f"Dilation{axis.upper()}Factor", 1))
        if not (1 <= stride <= MAX_DIM and 1 <= dilation <= MAX_DIM and 1 <= kernel <= MAX_DIM):
            raise ModelError(f"stride {stride}, dilation {dilation}, window {kernel}: must be positive", where=b.at(op))
        total = 0
        if padding == 0:  # SAME
            span = (kernel - 1) * dilation + 1
            total = max((-(-size // stride) - 1) * stride + span - size, 0)
        attrs |= {f"stride_{axis}": stride, f"dilation_{axis}": dilation, before: total // 2, after: total - total // 2}
    return attrs


def window_shape(
    b: Builder, x: str, attrs: dict[str, int], k_h: int, k_w: int, channels: int
) -> tuple[int, ...] | None:
    """The output's shape within SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, where the file has a placeholder."""
    if x not in b.phased:
        return None
    n, h, w, _ = b.tensors[x].shape
    rows = (h + attrs["pad_top"] + attrs["pad_bottom"] - (k_h - 1) * attrs["dilation_h"] - 1) // attrs["stride_h"] + 1
    cols = (w + attrs["pad_left"] + attrs["pad_right"] - (k_w - 1) * attrs["dilation_w"] - 1) // attrs["stride_w"] + 1
    return n, rows, cols, channels


def _weights(b: Builder, op: FileOperator, rank: int, axis: int) -> str:
    t = b.file_tensor(op, 1, "weights")
    b.check_type(op, "weights", t, ("int8",))
    if len(t.shape) != rank:
        raise ModelError(f"weights must have {rank} dimensions, got {list(t.shape)}", where=b.at(op))
    if t.quant is None:
        raise ModelError(f"weights (tensor {t.index}) have no quantisation", where=b.at(op))
    if any(t.quant.zero_points):
        raise b.unsupported(op, "weights with a zero point", "symmetric weights (zero point 0)")
    if len(t.quant.scales) > 1 and t.quant.axis != axis:
        raise b.unsupported(op, f"weight scales along axis {t.quant.axis}", f"axis {axis}")
    return b.const(op, t, "weights", Role.WEIGHTS)


def _bias(b: Builder, op: FileOperator) -> tuple[str, ...]:
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        return ()
    t = b.file_tensor(op, 2, "bias")
    b.check_type(op, "bias", t, ("int32",))
    return (b.const(op, t, "bias", Role.BIAS),)


def conv_kind(b: Builder, op: FileOperator, x: str, filters: tuple[int, ...]) -> str:
    """conv2d, or grouped_conv2d where filters (oc, kh, kw, ic) read a part of the channels of `x`."""
    shape = b.tensors[x].shape
    if len(shape) != 4 or shape[3] == filters[3]:
        return "conv2d"
    if min(filters) < 1 or shape[3] % filters[3] or filters[0] % (shape[3] // filters[3]):
        raise ModelError(f"{filters[0]} filters of {filters[3]} channels on {shape[3]} channels", where=b.at(op))
    return "grouped_conv2d"


def _conv(b: Builder, op: FileOperator) -> None:
    x, w = b.operand(op, 0, "input"), _weights(b, op, 4, 0)
    shape = b.tensors[w].shape
    kind = conv_kind(b, op, x, shape)
    attrs = window(b, op, b.tensors[x], shape[1], shape[2])
    out = window_shape(b, x, attrs, shape[1], shape[2], shape[0])
    b.add(op, kind, (x, w, *_bias(b, op)), {**attrs, "activation": activation(b, op)}, out)


def _depthwise(b: Builder, op: FileOperator) -> None:
    x, w = b.operand(op, 0, "input"), _weights(b, op, 4, 3)
    shape = b.tensors[w].shape
    attrs = window(b, op, b.tensors[x], shape[1], shape[2])
    out = window_shape(b, x, attrs, shape[1], shape[2], shape[3])
    b.add(op, "depthwise", (x, w, *_bias(b, op)), {**attrs, "activation": activation(b, op)}, out)


def _fully_connected(b: Builder, op: FileOperator) -> None:
    if op.options["WeightsFormat"] != 0:
        raise b.unsupported(op, "shuffled weights", "the default weights format")
    x, w = b.operand(op, 0, "input", rowwise=True), _weights(b, op, 2, 0)
    units, in_c = b.tensors[w].shape
    t = b.tensors[x]
    rows = math.prod(t.shape) // in_c
    if rows * in_c != math.prod(t.shape):
        raise ModelError(f"input of {math.prod(t.shape)} values does not divide into rows of {in_c}", where=b.at(op))
    out = b.model.tensors[op.outputs[0]].shape if op.outputs else ()
    if math.prod(out) != rows * units or out[-1] != units:  # a placeholder
        out = (*b.file_shape(x)[:-1], units) if op.options["KeepNumDims"] and t.shape[-1] == in_c else (rows, units)
    x = b.view(op, "rows", x, graph_shape((*out[:-1], in_c)))  # TFLite flattens silently; here it is a node of its own
    b.add(op, "fully_connected", (x, w, *_bias(b, op)), {"activation": activation(b, op)}, out)


def _binary(kind: str) -> Callable[[Builder, FileOperator], None]:
    def handler(b: Builder, op: FileOperator) -> None:
        operands = tuple(b.operand(op, i, what, may_be_constant=True) for i, what in enumerate("ab"))
        b.add(op, kind, operands, {"activation": activation(b, op)})

    return handler


def _pool(kind: str) -> Callable[[Builder, FileOperator], None]:
    def handler(b: Builder, op: FileOperator) -> None:
        x = b.operand(op, 0, "input")
        k_h, k_w = int(op.options["FilterHeight"]), int(op.options["FilterWidth"])
        attrs = window(b, op, b.tensors[x], k_h, k_w)
        b.add(op, kind, (x,), {**attrs, "filter_h": k_h, "filter_w": k_w, "activation": activation(b, op)})

    return handler


def _axes(b: Builder, op: FileOperator, rank: int) -> list[int]:
    axes = b.ints(op, 1, "axes")
    if any(not -rank <= a < rank for a in axes):
        raise ModelError(f"axes {axes} do not exist in {rank} dimensions", where=b.at(op))
    return sorted({a % rank for a in axes})


def _mean(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    axes = _axes(b, op, len(b.tensors[x].shape))
    b.add(op, "mean", (x,), {"axes": ",".join(map(str, axes)), "keep_dims": int(bool(op.options["KeepDims"]))})


def _reduce_max(b: Builder, op: FileOperator) -> None:
    """A global maximum is a pooling window as large as the image."""
    x = b.operand(op, 0, "input")
    shape = b.tensors[x].shape
    axes = _axes(b, op, len(shape))
    if len(shape) not in (3, 4) or not axes or axes[0] == 0 or axes[-1] == len(shape) - 1:
        raise b.unsupported(op, f"the maximum over axes {axes} of shape {list(shape)}", "axes of height and width")
    image = (*shape[:-1], 1, shape[-1]) if len(shape) == 3 else shape
    window = [image[a] if a in axes else 1 for a in (1, 2)]
    pooled = Tensor(f"{node_name(op)}_pool", (1, image[1] // window[0], image[2] // window[1], image[3]), "int8")
    attrs = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
    attrs |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0)
    attrs |= {"filter_h": window[0], "filter_w": window[1]}
    source = b.view(op, "image", x, image)
    b.tensors[pooled.name] = replace(pooled, quant=b.tensors[x].quant)
    b.nodes.append(Node("max_pool", pooled.name, (source,), (pooled.name,), {**attrs, "activation": "none"}))
    keep = bool(op.options["KeepDims"])
    out = tuple(1 if a in axes else d for a, d in enumerate(shape) if keep or a not in axes)
    b.add(op, "reshape", (pooled.name,), {}, out)


def _pad(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    pads = b.ints(op, 1, "paddings")
    if len(pads) != 2 * len(b.tensors[x].shape) or any(not 0 <= p <= MAX_DIM for p in pads):
        raise ModelError(f"paddings {pads} do not match shape {list(b.tensors[x].shape)}", where=b.at(op))
    if op.builtin == "PADV2":
        fill = b.file_tensor(op, 2, "value")
        zero = b.tensors[x].q.zero_point
        if fill.data is None or fill.data.size != 1 or int(fill.data.ravel()[0]) != zero:
            raise b.unsupported(op, f"value (tensor {fill.index} {fill.name[:60]!r})", f"the zero point, {zero}")
    b.add(op, "pad", (x,), {"pads": ",".join(map(str, pads))})


def _reshape(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input", rowwise=op.builtin == "RESHAPE")
    shape = b.file_shape(x)
    target = list(b.file_output(op).shape)
    if op.builtin == "RESHAPE" and len(op.inputs) > 1 and op.inputs[1] >= 0:
        target = b.ints(op, 1, "shape")
    if op.builtin == "EXPAND_DIMS":
        (axis,) = b.ints(op, 1, "axis")[:1] or [0]
        target = list(shape)
        target.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    try:
        out = shapes.resolve(target, math.prod(shape))
    except ValueError as error:
        raise ModelError(str(error), where=b.at(op)) from error
    b.add(op, "reshape", (x,), {}, out)


def _blocks(b: Builder, op: FileOperator, edges: str) -> tuple[str, list[int], list[int]]:
    """Input, block sizes, and what is put on (or cut off) before and after each spatial axis."""
    x = b.operand(op, 0, "input")
    rank = len(b.tensors[x].shape)
    blocks, amounts = b.ints(op, 1, "block"), b.ints(op, 2, edges)
    if not 3 <= rank <= 4 or len(blocks) != rank - 2 or len(amounts) != 2 * len(blocks):
        raise b.unsupported(op, f"block {blocks} and {edges} {amounts} of a tensor of rank {rank}", "rank 3 or 4")
    if any(not 1 <= v <= MAX_DIM for v in blocks) or any(not 0 <= v <= MAX_DIM for v in amounts):
        raise ModelError(f"block {blocks} and {edges} {amounts} are out of range", where=b.at(op))
    return x, blocks, amounts


def _space_to_batch(b: Builder, op: FileOperator) -> None:
    x, blocks, pads = _blocks(b, op, "paddings")
    n, *sizes, channels = b.tensors[x].shape
    sizes = [size + before + after for size, before, after in zip(sizes, pads[::2], pads[1::2], strict=True)]
    if any(size % block for size, block in zip(sizes, blocks, strict=True)):
        raise ModelError(f"padded sizes {sizes} do not divide into blocks of {blocks}", where=b.at(op))
    shape = (n * math.prod(blocks), *(size // block for size, block in zip(sizes, blocks, strict=True)), channels)
    b.add(op, "space_to_batch", (x,), {"blocks": ",".join(map(str, blocks)), "pads": ",".join(map(str, pads))}, shape)


def _batch_to_space(b: Builder, op: FileOperator) -> None:
    x, blocks, crops = _blocks(b, op, "crops")
    n, *sizes, channels = b.tensors[x].shape
    sizes = [
        size * block - before - after
        for size, block, before, after in zip(sizes, blocks, crops[::2], crops[1::2], strict=True)
    ]
    if n % math.prod(blocks) or min(sizes) < 1:
        raise ModelError(f"blocks {blocks} and crops {crops} do not fit {list(b.tensors[x].shape)}", where=b.at(op))
    shape = (n // math.prod(blocks), *sizes, channels)
    b.add(op, "batch_to_space", (x,), {"blocks": ",".join(map(str, blocks)), "crops": ",".join(map(str, crops))}, shape)


def _concat(b: Builder, op: FileOperator) -> None:
    names = tuple(b.operand(op, i, f"input{i}") for i in range(len(op.inputs)))
    if not names:
        raise ModelError("no inputs", where=b.at(op))
    rank = len(b.tensors[names[0]].shape)
    axis = int(op.options["Axis"])
    if not -rank <= axis < rank or len(b.file_output(op).shape) != rank:
        raise ModelError(f"axis {axis} does not exist in {rank} dimensions", where=b.at(op))
    b.add(op, "concat", names, {"axis": axis % rank, "activation": activation(b, op)})


def _plain(kind: str, *operands: str, **attrs: AttrValue) -> Callable[[Builder, FileOperator], None]:
    """An operator on activations of one shape, each element by itself, whose options do not matter."""

    def handler(b: Builder, op: FileOperator) -> None:
        names = tuple(b.operand(op, i, what, rowwise=True) for i, what in enumerate(operands or ("input",)))
        b.add(op, kind, names, attrs, b.file_shape(names[0]) if names[0] in b.rows else None)

    return handler


def _softmax(b: Builder, op: FileOperator) -> None:
    beta = float(op.options["Beta"])
    if not 0 < beta < 1e6:
        raise ModelError(f"beta is {beta}, expected a positive number", where=b.at(op))
    _plain("softmax", beta=beta)(b, op)


HANDLERS: dict[str, Callable[[Builder, FileOperator], None]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _binary("add"),
    "MUL": _binary("mul"),
    "AVERAGE_POOL_2D": _pool("average_pool"),
    "MAX_POOL_2D": _pool("max_pool"),
    "MEAN": _mean,
    "RESHAPE": _reshape,
    "EXPAND_DIMS": _reshape,
    "SQUEEZE": _reshape,
    "SOFTMAX": _softmax,
    "PAD": _pad,
    "PADV2": _pad,
    "REDUCE_MAX": _reduce_max,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "RELU": _plain("relu", activation="relu"),
    "RELU6": _plain("relu", activation="relu6"),
    "RELU_N1_TO_1": _plain("relu", activation="relu_n1_to_1"),
    "QUANTIZE": _plain("quantize"),
    "DEQUANTIZE": _plain("dequantize"),
    "LOGISTIC": _plain("logistic"),
    "TANH": _plain("tanh"),
    "CONCATENATION": _concat,
}
