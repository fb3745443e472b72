"""Small QUANTIZED graphs with random weights, for tests that need a network but no model file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgekc.graph.ir import Array, AttrValue, Graph, Node, Quant, Role, Stage, Tensor, constant


@dataclass
class Net:
    """Adds one layer after the other; every method returns the name of the layer's output."""

    rng: np.random.Generator
    shape: tuple[int, ...]
    name: str = "tiny"
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensors["input"] = Tensor("input", self.shape, "int8", Quant((0.0625,), (-3,)))

    def graph(self, *outputs: str) -> Graph:
        return Graph(self.name, Stage.QUANTIZED, self.tensors, tuple(self.nodes), ("input",), outputs, {})

    def conv(self, x: str, oc: int, k: int = 3, stride: int = 1, pad: bool = True, weights: Array | None = None,
             bias: Array | None = None, activation: str = "none", zero: int = 5, scale: float = 0.125) -> str:  # fmt: skip  # noqa: E501
        ic = self.tensors[x].shape[3]
        w = self.rng.integers(-127, 128, (oc, k, k, ic)) if weights is None else weights
        return self._window("conv2d", x, w, oc, k, stride, pad, bias, activation, zero, scale)

    def depthwise(self, x: str, k: int = 3, stride: int = 1, pad: bool = True, weights: Array | None = None,
                  bias: Array | None = None, activation: str = "none", zero: int = 5, scale: float = 0.125) -> str:  # fmt: skip  # noqa: E501
        c = self.tensors[x].shape[3]
        w = self.rng.integers(-127, 128, (1, k, k, c)) if weights is None else weights
        return self._window("depthwise", x, w, c, k, stride, pad, bias, activation, zero, scale)

    def fully_connected(self, x: str, oc: int, activation: str = "none", zero: int = 2) -> str:
        ic = self.tensors[x].shape[-1]
        w = self.rng.integers(-127, 128, (oc, ic))
        shape = (*self.tensors[x].shape[:-1], oc)
        return self._layer("fully_connected", x, w, oc, shape, {}, None, activation, zero, 0.125, 0)

    def unary(self, op: str, x: str, shape: tuple[int, ...] | None = None, **attrs: AttrValue) -> str:
        name = f"{op}_{len(self.nodes)}"
        source = self.tensors[x]
        self.tensors[name] = Tensor(name, shape or source.shape, "int8", source.quant)
        self.nodes.append(Node(op, name, (x,), (name,), attrs))
        return name

    def node(self, op: str, inputs: tuple[str, ...], shape: tuple[int, ...], quant: Quant,
             attrs: dict[str, AttrValue]) -> str:  # fmt: skip
        """Any operator of an int8 output."""
        name = f"{op}_{len(self.nodes)}"
        self.tensors[name] = Tensor(name, shape, "int8", quant)
        self.nodes.append(Node(op, name, inputs, (name,), attrs))
        return name

    def binary(self, op: str, a: str, b: str, activation: str = "none") -> str:
        name = f"{op}_{len(self.nodes)}"
        self.tensors[name] = Tensor(name, self.tensors[a].shape, "int8", Quant((0.25,), (-7,)))
        self.nodes.append(Node(op, name, (a, b), (name,), {"activation": activation}))
        return name

    def _window(self, op: str, x: str, w: Array, oc: int, k: int, stride: int, pad: bool, bias: Array | None,
                activation: str, zero: int, scale: float) -> str:  # fmt: skip
        _, h, width, _ = self.tensors[x].shape
        attrs: dict[str, AttrValue] = {"stride_h": stride, "stride_w": stride, "dilation_h": 1, "dilation_w": 1}
        sizes = []
        for size, before, after in ((h, "pad_top", "pad_bottom"), (width, "pad_left", "pad_right")):
            out = -(-size // stride) if pad else (size - k) // stride + 1
            total = max((out - 1) * stride + k - size, 0) if pad else 0
            attrs |= {before: total // 2, after: total - total // 2}
            sizes.append(out)
        return self._layer(
            op, x, w, oc, (1, *sizes, oc), attrs, bias, activation, zero, scale, w.ndim - 1 if op == "depthwise" else 0
        )

    def _layer(self, op: str, x: str, w: Array, oc: int, shape: tuple[int, ...], attrs: dict[str, AttrValue],
               bias: Array | None, activation: str, zero: int, scale: float, axis: int) -> str:  # fmt: skip
        name = f"{op}_{len(self.nodes)}"
        taps = w.size // oc
        scales = tuple(
            float(np.float32(s)) for s in self.rng.uniform(0.5, 1.5, oc) * scale / (0.0625 * 64 * np.sqrt(taps)) / 4
        )
        b = self.rng.integers(-2000, 2000, oc) if bias is None else bias
        self.tensors[f"{name}/weights"] = constant(
            f"{name}/weights", w.astype(np.int8), Role.WEIGHTS, Quant(scales, (0,) * oc, axis)
        )
        self.tensors[f"{name}/bias"] = constant(f"{name}/bias", b.astype(np.int32), Role.BIAS)
        self.tensors[name] = Tensor(name, shape, "int8", Quant((scale,), (zero,)))
        self.nodes.append(
            Node(op, name, (x, f"{name}/weights", f"{name}/bias"), (name,), {**attrs, "activation": activation})
        )
        return name
