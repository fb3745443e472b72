"""What handlers of several kinds of operators share."""

from __future__ import annotations

from collections.abc import Sequence

from ....errors import ModelError
from ....graph.ir import AttrValue, Node, Tensor
from ..builder import MAX_DIM, Builder, Handler, graph_shape, node_name
from ..file import FileOperator

Shape = tuple[int, ...]
Attrs = dict[str, AttrValue]
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
    """The output's shape where the file has a placeholder, as within SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND."""
    if x not in b.phased and x not in b.unstated:
        return None
    n, h, w, _ = b.tensors[x].shape
    rows = (h + attrs["pad_top"] + attrs["pad_bottom"] - (k_h - 1) * attrs["dilation_h"] - 1) // attrs["stride_h"] + 1
    cols = (w + attrs["pad_left"] + attrs["pad_right"] - (k_w - 1) * attrs["dilation_w"] - 1) // attrs["stride_w"] + 1
    return n, rows, cols, channels


def transposed_window(
    b: Builder, op: FileOperator, x: Tensor, filters: tuple[int, ...]
) -> tuple[dict[str, int], tuple[int, ...]]:
    """Attributes of TRANSPOSE_CONV with filters (oc, kh, kw, ic), and the shape of its output.

    Padding is that of the convolution from the output back to the input.
    """
    size = b.ints(op, 0, "output shape")
    if len(x.shape) != 4:
        raise b.unsupported(op, f"input of shape {list(x.shape)}", "4 dimensions, NHWC")
    if len(size) != 4 or size[0] != 1 or size[3] != filters[0] or min(size) < 1:
        raise ModelError(f"an output of shape {size} with {filters[0]} filters", where=b.at(op))
    out = Tensor("", tuple(size), x.dtype)
    attrs = window(b, op, out, filters[1], filters[2])
    for axis, k, stride, ends in (
        (1, filters[1], attrs["stride_h"], ("pad_top", "pad_bottom")),
        (2, filters[2], attrs["stride_w"], ("pad_left", "pad_right")),
    ):
        if (size[axis] + sum(attrs[end] for end in ends) - k) // stride + 1 != x.shape[axis]:
            raise ModelError(f"an output of shape {size} from an input of {list(x.shape)}", where=b.at(op))
    kept = ("stride_h", "stride_w", "pad_top", "pad_left")
    return {name: attrs[name] for name in kept}, out.shape


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
        known = names[0] in b.rows or names[0] in b.unstated
        b.add(op, kind, names, attrs, b.file_shape(names[0]) if known else None)

    return handler


def signs(b: Builder, op: FileOperator) -> dict[str, int]:
    """What a node says whose kernel in TensorFlow Lite is another one in uint8."""
    return {"unsigned": 1} if op.index in b.model.unsigned else {}


def aligned(b: Builder, op: FileOperator, names: Sequence[str]) -> tuple[str, ...]:
    """All operands, by what they are called; activations of fewer dimensions than others with ones in front."""
    ranks = [len(b.file_tensor(op, i, name).shape) for i, name in enumerate(names)]
    found = []
    for i, what in enumerate(names):
        fewer = b.file_tensor(op, i, what).data is None and ranks[i] < max(ranks)
        name = b.operand(op, i, what, rowwise=fewer, may_be_constant=True)
        if name in b.rows and fewer:
            shape = b.file_shape(name)
            name = b.view(op, f"aligned_{what}", name, (1,) * (max(ranks) - len(shape)) + shape)
        found.append(name)
    return tuple(found)


def text(values: Sequence[int]) -> str:
    """A list as nodes hold it."""
    return ",".join(map(str, values))


class Moved:
    """An input whose first axis may or may not be the batch: nodes on it see one more axis where it is not."""

    def __init__(self, b: Builder, op: FileOperator, position: int, batched: bool = True, name: str = "") -> None:
        """`batched`: the operator leaves a first axis of one as it is."""
        self.b, self.op = b, op
        x = b.operand(op, position, "input", rowwise=True)
        self.shape: Shape = b.file_shape(x)
        self.lead = () if self.shape[:1] == (1,) and batched else (0,)  # the axes in front of the file's
        inside = (1, *self.shape) if self.lead else self.shape
        self.x = b.view(op, "rows" + name, x, inside)

    def axes(self, first: int, values: Sequence[int], each: int = 1) -> str:
        """Numbers for the node's axes, `each` for one: `first` for the axis that the file has not, and the file's."""
        return text([*([first] * each if self.lead else []), *values])

    def write(
        self, kind: str, attrs: Attrs, made: Shape, shape: Shape | None = None, part: int | None = None, *more: str
    ) -> None:
        """The node that makes `made` of the input, in the file's axes; `shape`: the output's, of the same values."""
        inside = (1, *made) if self.lead else made
        shape = made if shape is None else shape
        if graph_shape(shape) == inside:
            self.b.add(self.op, kind, (self.x, *more), attrs, shape, part)
            return
        name = "moved" if part is None else f"moved{part}"
        moved = self.b.inner(self.op, name, kind, (self.x, *more), attrs, inside)
        self.b.add(self.op, "reshape", (moved,), {}, shape, part)

    def slices(
        self,
        begins: Sequence[int],
        sizes: Shape,
        steps: Sequence[int],
        shape: Shape | None = None,
        part: int | None = None,
    ) -> None:
        """A slice of each axis."""
        for begin, size, step, there in zip(begins, sizes, steps, self.shape, strict=True):
            last = begin + (size - 1) * step
            if size < 1 or not (0 <= begin < there and 0 <= last < there):
                what = f"a slice of {list(sizes)} values from {list(begins)}, by steps of {list(steps)}"
                raise ModelError(f"{what}, of shape {list(self.shape)}", where=self.b.at(self.op))
        attrs: Attrs = dict(begins=self.axes(0, begins), sizes=self.axes(1, sizes), strides=self.axes(1, steps))
        self.write("strided_slice", attrs, tuple(sizes), shape, part)


def rescaled(b: Builder, op: FileOperator, x: str, position: int) -> str:
    """An operand in the output's scale, where a uint8 kernel takes any: by a table of its own."""
    t, out = b.tensors[x], b.file_output(op)
    if op.index not in b.model.unsigned or t.quant == out.quant or t.data is not None:
        return x
    name = f"{node_name(op)}_in{position}"
    b.tensors[name] = Tensor(name, t.shape, t.dtype, out.quant)
    b.nodes.append(Node("quantize", name, (x,), (name,), {"unsigned": 1}))
    return name
