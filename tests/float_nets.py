"""Small FLOAT graphs with random weights, for tests that need a float network but no trained model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgekc.graph.ir import Array, AttrValue, Graph, Node, Role, Stage, Tensor, constant


@dataclass
class FloatNet:
    """Adds one layer after the other; every method returns the name of the layer's output."""

    rng: np.random.Generator
    shape: tuple[int, ...]
    activation: str = "none"  # of convolutions, where a test states no other
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensors["input"] = Tensor("input", self.shape, "float32")

    def graph(self, *outputs: str, **metadata: str) -> Graph:
        return Graph("tiny", Stage.FLOAT, self.tensors, tuple(self.nodes), ("input",), outputs, metadata)

    def shape_of(self, x: str) -> tuple[int, ...]:
        return self.tensors[x].shape

    def conv(self, x: str, oc: int, k: int = 3, stride: int = 1, activation: str = "", spread: float = 0.0) -> str:
        """`spread`: standard deviation of the filters' sizes, in e-folds."""
        ic = self.shape_of(x)[3]
        w = self._weights((oc, k, k, ic), k * k * ic) * np.exp(self.rng.normal(0, spread, (oc, 1, 1, 1)))
        attrs, size = self._window(x, k, stride)
        return self._linear("conv2d", x, w, oc, (1, *size, oc), {**attrs, "activation": activation or self.activation})

    def grouped(self, x: str, oc: int, groups: int, k: int = 3, stride: int = 1, activation: str = "") -> str:
        reads = self.shape_of(x)[3] // groups
        attrs, size = self._window(x, k, stride)
        w = self._weights((oc, k, k, reads), k * k * reads)
        attrs = {**attrs, "activation": activation or self.activation}
        return self._linear("grouped_conv2d", x, w, oc, (1, *size, oc), attrs)

    def depthwise(self, x: str, k: int = 3, stride: int = 1, times: int = 1, activation: str = "") -> str:
        oc = self.shape_of(x)[3] * times
        attrs, size = self._window(x, k, stride)
        w = self._weights((1, k, k, oc), k * k)
        return self._linear(
            "depthwise", x, w, oc, (1, *size, oc), {**attrs, "activation": activation or self.activation}
        )

    def fully_connected(self, x: str, oc: int, activation: str = "none") -> str:
        ic = self.shape_of(x)[-1]
        shape = (*self.shape_of(x)[:-1], oc)
        return self._linear("fully_connected", x, self._weights((oc, ic), ic), oc, shape, {"activation": activation})

    def transposed(self, x: str, oc: int, k: int = 3, stride: int = 2, activation: str = "") -> str:
        """An image `stride` times as large."""
        _, h, w, ic = self.shape_of(x)
        pad = max(k - stride, 0) // 2
        attrs: dict[str, AttrValue] = {"stride_h": stride, "stride_w": stride, "pad_top": pad, "pad_left": pad}
        attrs["activation"] = activation or self.activation
        weights = self._weights((oc, k, k, ic), k * k * ic // stride**2)
        return self._linear("transpose_conv", x, weights, oc, (1, h * stride, w * stride, oc), attrs)

    def resize(self, op: str, x: str, size: tuple[int, int]) -> str:
        _, _, _, c = self.shape_of(x)
        return self.op(op, x, shape=(1, *size, c), align_corners=0, half_pixel_centers=1)

    def pool(self, op: str, x: str, k: int = 2, stride: int = 2, activation: str = "none") -> str:
        attrs, size = self._window(x, k, stride)
        shape = (1, *size, self.shape_of(x)[3])
        return self.node(op, (x,), shape, {**attrs, "filter_h": k, "filter_w": k, "activation": activation})

    def binary(self, op: str, a: str, b: str, activation: str = "none") -> str:
        shape = self.shape_of(a) if len(self.shape_of(a)) >= len(self.shape_of(b)) else self.shape_of(b)
        return self.node(op, (a, b), shape, {"activation": activation})

    def constant(self, value: Array) -> str:
        name = f"constant_{len(self.tensors)}"
        self.tensors[name] = constant(name, np.asarray(value, np.float32), Role.WEIGHTS)
        return name

    def mean(self, x: str) -> str:
        return self.node("mean", (x,), (1, self.shape_of(x)[3]), {"axes": "1,2", "keep_dims": 0})

    def reshape(self, x: str, shape: tuple[int, ...]) -> str:
        return self.node("reshape", (x,), shape, {})

    def pad(self, x: str, amount: int) -> str:
        n, h, w, c = self.shape_of(x)
        pads = ",".join(map(str, (0, 0, *(amount,) * 4, 0, 0)))
        return self.node("pad", (x,), (n, h + 2 * amount, w + 2 * amount, c), {"pads": pads})

    def unary(self, op: str, x: str, **attrs: AttrValue) -> str:
        return self.node(op, (x,), self.shape_of(x), attrs)

    def concat(self, *xs: str, activation: str = "none") -> str:
        shape = (*self.shape_of(xs[0])[:-1], sum(self.shape_of(x)[-1] for x in xs))
        return self.node("concat", xs, shape, {"axis": len(shape) - 1, "activation": activation})

    def op(self, op: str, *inputs: str, shape: tuple[int, ...] | None = None, **attrs: AttrValue) -> str:
        """Any operator; its output has the first input's shape unless another is given."""
        return self.node(op, inputs, shape or self.shape_of(inputs[0]), attrs)

    def node(self, op: str, inputs: tuple[str, ...], shape: tuple[int, ...], attrs: dict[str, AttrValue]) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.tensors[name] = Tensor(name, shape, "float32")
        self.nodes.append(Node(op, name, inputs, (name,), attrs))
        return name

    def _weights(self, shape: tuple[int, ...], taps: int) -> Array:
        return self.rng.normal(0, np.sqrt(2.0 / taps), shape)

    def _window(self, x: str, k: int, stride: int) -> tuple[dict[str, AttrValue], tuple[int, int]]:
        """SAME padding, the odd pixel at the end."""
        attrs: dict[str, AttrValue] = {"stride_h": stride, "stride_w": stride, "dilation_h": 1, "dilation_w": 1}
        sizes = []
        axes = zip(self.shape_of(x)[1:3], ("pad_top", "pad_left"), ("pad_bottom", "pad_right"), strict=True)
        for size, before, after in axes:
            out = -(-size // stride)
            total = max((out - 1) * stride + k - size, 0)
            attrs |= {before: total // 2, after: total - total // 2}
            sizes.append(out)
        return attrs, (sizes[0], sizes[1])

    def _linear(self, op: str, x: str, w: Array, oc: int, shape: tuple[int, ...], attrs: dict[str, AttrValue]) -> str:
        name = f"{op}_{len(self.nodes)}"
        values = {"weights": (w, Role.WEIGHTS), "bias": (self.rng.normal(0, 0.2, oc), Role.BIAS)}
        for what, (value, role) in values.items():
            key = f"{name}/{what}"
            self.tensors[key] = constant(key, np.asarray(value, np.float32), role)
        return self.node(op, (x, f"{name}/weights", f"{name}/bias"), shape, attrs)
