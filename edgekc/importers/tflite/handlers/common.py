"""What handlers of several kinds of operators share."""

from __future__ import annotations

from ....errors import ModelError
from ....graph.ir import AttrValue, Node, Tensor
from ..builder import MAX_DIM, Builder, Handler, node_name
from ..file import FileOperator

_ACTIVATIONS = {0: "none", 1: "relu", 2: "relu_n1_to_1", 3: "relu6"}


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


def conv_kind(b: Builder, op: FileOperator, x: str, filters: tuple[int, ...]) -> str:
    """conv2d, or grouped_conv2d where filters (oc, kh, kw, ic) read a part of the channels of `x`."""
    shape = b.tensors[x].shape
    if len(shape) != 4 or shape[3] == filters[3]:
        return "conv2d"
    if min(filters) < 1 or shape[3] % filters[3] or filters[0] % (shape[3] // filters[3]):
        raise ModelError(f"{filters[0]} filters of {filters[3]} channels on {shape[3]} channels", where=b.at(op))
    return "grouped_conv2d"


def axes_of(b: Builder, op: FileOperator, rank: int) -> list[int]:
    axes = b.ints(op, 1, "axes")
    if any(not -rank <= a < rank for a in axes):
        raise ModelError(f"axes {axes} do not exist in {rank} dimensions", where=b.at(op))
    return sorted({a % rank for a in axes})


def plain(kind: str, *operands: str, **attrs: AttrValue) -> Handler:
    """An operator on activations of one shape, each element by itself, whose options do not matter."""

    def handler(b: Builder, op: FileOperator) -> None:
        names = tuple(b.operand(op, i, what, rowwise=True) for i, what in enumerate(operands or ("input",)))
        b.add(op, kind, names, attrs, b.file_shape(names[0]) if names[0] in b.rows else None)

    return handler


def rescaled(b: Builder, op: FileOperator, x: str, position: int) -> str:
    """An operand in the output's scale, where a uint8 kernel takes any: by a table of its own."""
    t, out = b.tensors[x], b.file_output(op)
    if op.index not in b.model.unsigned or t.quant == out.quant or t.data is not None:
        return x
    name = f"{node_name(op)}_in{position}"
    b.tensors[name] = Tensor(name, t.shape, t.dtype, out.quant)
    b.nodes.append(Node("quantize", name, (x,), (name,), {"unsigned": 1}))
    return name
