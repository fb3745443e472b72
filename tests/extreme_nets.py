"""Random QUANTIZED graphs with extreme scales: narrow intervals, multipliers from 2**-30 to 2**30, what passes act on.

`edgekc/fuzzing/nets.py` makes whole files for kernels and importer; these graphs are for passes and value ranges.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgekc.graph.ir import Array, AttrValue, Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.ops.packed.template import response_limit

Rng = np.random.Generator
ACTIVATIONS = ("none", "none", "none", "relu", "relu6", "relu_n1_to_1")
_WINDOW = ("stride_h", "stride_w", "dilation_h", "dilation_w")
_PADS = ("pad_top", "pad_bottom", "pad_left", "pad_right")


def _f32(x: float) -> float:
    return float(np.float32(x))


def _size(w: Array) -> float:
    return max(float(np.sqrt((w.astype(np.float64) ** 2).mean())), 1.0)


@dataclass
class ExtremeNet:
    """Adds one random layer after the other; every method returns the name of the layer's output."""

    rng: Rng
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    templates: Array | None = None  # of the last layer on templates; the next may share them
    packed: bool = True  # some convolutions are

    def one_in(self, count: int) -> bool:
        return bool(self.rng.integers(count) == 0)

    def scale(self) -> float:
        """1e-9 to 1e3; half of the time a usual one."""
        low, high = (1e-9, 1e3) if self.one_in(2) else (1e-3, 0.5)
        return _f32(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def quant(self, scale: float | None = None) -> Quant:
        return Quant((self.scale() if scale is None else scale,), (int(self.rng.integers(-128, 128)),))

    def activation(self, out: Quant) -> str:
        """Bounds of 1 and 6 leave 32 bits in the smallest scales, and are refused there."""
        return str(self.rng.choice(ACTIVATIONS if out.scale > 1e-8 else ACTIVATIONS[:4]))

    def _add(self, op: str, inputs: tuple[str, ...], shape: tuple[int, ...], quant: Quant | None,
             attrs: dict[str, AttrValue], dtype: str = "int8") -> str:  # fmt: skip
        name = f"{op}_{len(self.nodes)}"
        self.tensors[name] = Tensor(name, shape, dtype, quant)
        self.nodes.append(Node(op, name, inputs, (name,), attrs))
        return name

    def _const(self, name: str, data: Array, role: Role, quant: Quant | None = None) -> str:
        name = f"{name}_{len(self.tensors)}"
        self.tensors[name] = constant(name, data, role, quant)
        return name

    def sparse(self, shape: tuple[int, ...], largest: int = 127) -> Array:
        """Filters of zeros, of a tap or two, and whole ones."""
        w = self.rng.integers(-largest, largest + 1, shape)
        filters = self.rng.random((shape[0], *(1,) * (len(shape) - 1))) < 0.8
        kept = (
            filters & (self.rng.random(shape) < self.rng.choice([0.2, 0.6, 1.0])) & (self.rng.random(shape[-1]) < 0.9)
        )
        w = np.where(kept, w, 0)
        return np.sign(w) * (np.abs(w) >> int(self.rng.integers(0, 6)))  # or narrow

    def bias(self, channels: int, spread: float) -> str:
        """Zero, about the size of the sums, or anything."""
        sizes = np.where(self.rng.random(channels) < 0.1, 2.0**20, spread * self.rng.integers(0, 2, channels))
        return self._const("bias", np.rint(sizes * self.rng.uniform(-1, 1, channels)).astype(np.int32), Role.BIAS)

    def scales(self, x: str, count: int, spread: float, wraps: bool = False) -> tuple[Quant, Array]:
        """(of the output, of each filter) for real multipliers from 2**-30 to 2**26; `spread`: the size of the sums.

        Most are usual ones, so that something is left for the next layer; a quarter wraps.
        """
        kind = 0 if wraps else int(self.rng.integers(8))
        rate = self.rng.uniform(20, 200) / spread
        if kind <= 1:
            rate = 2.0 ** self.rng.uniform(8, 26)
        elif kind == 2:
            rate = 2.0 ** self.rng.uniform(-30, 20)
        out = self.quant()
        rates = np.full(1 if self.one_in(3) else count, rate)
        if rates.size > 1:
            rates *= np.exp(self.rng.uniform(-1, 1, count))
            rates = np.where(self.rng.random(count) < 0.05, 2.0 ** self.rng.uniform(-30, 26, count), rates)
        return out, np.maximum(rates * out.scale / self.tensors[x].q.scale, 1e-30).astype(np.float32)

    def window(self, x: str, k: int, pads: bool) -> tuple[dict[str, AttrValue], list[int]]:
        _, *sizes, _ = self.tensors[x].shape
        attrs: dict[str, AttrValue] = {}
        out = []
        for axis, size in zip("hw", sizes, strict=True):
            stride = int(self.rng.integers(1, 3))
            dilation = 2 if self.one_in(4) else 1
            before, after = (int(v) for v in self.rng.integers(0, 2, 2) * int(pads))
            if size + before + after < (k - 1) * dilation + 1:
                dilation, before, after = 1, max(before, k - 1), max(after, k - 1)
            low, high = ("pad_top", "pad_bottom") if axis == "h" else ("pad_left", "pad_right")
            attrs |= {f"stride_{axis}": stride, f"dilation_{axis}": dilation, low: before, high: after}
            out.append((size + before + after - (k - 1) * dilation - 1) // stride + 1)
        return attrs, out

    def conv(self, x: str, k: int | None = None, plain: bool = False, wraps: bool = False) -> str:
        """Dense, grouped, depthwise, clustered or on templates; `wraps`: so that most accumulators do."""
        k = int(self.rng.choice([1, 2, 3])) if k is None else k
        batch, *sizes, ic = self.tensors[x].shape
        kinds = ["conv2d", "conv2d", "depthwise"]
        kinds += (
            []
            if plain or not self.packed
            else ["clustered_conv2d", "clustered_depthwise", "template_conv2d", "template_depthwise"]
        )
        kinds += ["grouped_conv2d"] if ic % 2 == 0 and ic > 2 else []
        op = str(self.rng.choice(kinds))
        if op.startswith("template"):
            k = 3
        attrs, out = self.window(x, k, pads=self.one_in(3))
        if plain:
            attrs = dict.fromkeys((*_WINDOW, *_PADS), 1) | dict.fromkeys(_PADS, 0)
            out = [size - k + 1 for size in sizes]
        oc = ic if "depthwise" in op else int(self.rng.integers(1, 4)) * (2 if op == "grouped_conv2d" else 1)
        reads = 1 if "depthwise" in op else ic // 2 if op == "grouped_conv2d" else ic
        codes = self._codes(op, (oc, k, k, reads))
        spread = 50 * codes[0] * float(np.sqrt(k * k * reads))
        quant, scales = self.scales(x, oc, spread, wraps)
        inputs = (x, *self._operands(op, codes[1], scales, attrs), self.bias(oc, spread))
        return self._add(op, inputs, (batch, *out, oc), quant, {**attrs, "activation": self.activation(quant)})

    def _codes(self, op: str, shape: tuple[int, ...]) -> tuple[float, tuple[Array, ...]]:
        """About how large weights of `shape` (oc, kh, kw, reads) are, and the arrays that stand for them."""
        rng, (oc, k, _, reads) = self.rng, shape
        if op.startswith("clustered"):
            centers = np.sort(rng.integers(-(2**11), 2**11, (1, 4)) * (rng.random((1, 4)) < 0.7)).astype(np.int16)
            indices = rng.integers(0, 4, (oc, k, k) if "depthwise" in op else shape).astype(np.uint8)
            indices[rng.random(oc) < 0.3] = 0
            return _size(centers), (indices, centers)
        if op.startswith("template"):
            limit = response_limit(9)
            if self.templates is None or self.one_in(3):
                self.templates = rng.integers(-limit, limit + 1, (3, 3, 3)).astype(np.int8)
            pairs = (rng.integers(-40, 41, (oc, reads, 2)) * (rng.random((oc, reads, 1)) < 0.7)).astype(np.float16)
            return 400.0, (self.templates, rng.integers(0, 3, (oc, reads)).astype(np.uint8), pairs)
        w = self.sparse(shape).astype(np.int8)
        return _size(w), (np.ascontiguousarray(w.transpose(3, 1, 2, 0)) if op == "depthwise" else w,)

    def _operands(
        self, op: str, codes: tuple[Array, ...], scales: Array, attrs: dict[str, AttrValue]
    ) -> tuple[str, ...]:
        """The arrays as constants, with the scale of each filter where its operator looks for them."""
        axis = 3 if op == "depthwise" else 0
        quant = Quant(tuple(float(s) for s in scales), (0,) * scales.size, axis)
        if op.startswith("clustered"):
            step = Quant((2.0**-7,), (0,))
            quant = Quant(tuple(float(s) for s in scales * np.float32(128)), (0,) * scales.size)
            return self._const("i", codes[0], Role.INDEX, quant), self._const("c", codes[1], Role.CENTERS, step)
        if op.startswith("template"):
            attrs["ones"] = response_limit(9)
            rows = Quant(tuple(float(s) for s in np.broadcast_to(scales, len(codes[1]))), (0,) * len(codes[1]))
            roles = ((Role.CODEBOOK, None), (Role.INDEX, None), (Role.PAIRS, rows))
            return tuple(self._const("t", data, *role) for data, role in zip(codes, roles, strict=True))
        return (self._const("w", codes[0], Role.WEIGHTS, quant),)

    def fully_connected(self, x: str) -> str:
        ic, oc = self.tensors[x].shape[-1], int(self.rng.integers(1, 5))
        w = self.sparse((oc, ic)).astype(np.int8)
        spread = 50 * _size(w) * float(np.sqrt(ic))
        out, scales = self.scales(x, oc, spread)
        quant = Quant(tuple(float(s) for s in scales), (0,) * scales.size)
        inputs = (x, self._const("w", w, Role.WEIGHTS, quant), self.bias(oc, spread))
        return self._add("fully_connected", inputs, (1, oc), out, {"activation": self.activation(out)})

    def binary(self, x: str) -> str:
        """A sum or product with an earlier tensor of the shape, or with a constant."""
        op = str(self.rng.choice(["add", "mul"]))
        shape = self.tensors[x].shape
        alike = [n for n, t in self.tensors.items() if t.data is None and t.shape == shape and t.dtype == "int8"]
        other = str(self.rng.choice(alike))
        if self.one_in(2):
            data = self.rng.integers(-128, 128, (1,) * (len(shape) - 1) + shape[-1:]).astype(np.int8)
            other = self._const("b", data, Role.WEIGHTS, self.quant(self.tensors[x].q.scale))
        a, b = self.tensors[x].q.scale, self.tensors[other].q.scale
        natural = max(a, b) if op == "add" else a * b * 100
        rate = float(np.exp(self.rng.uniform(-8, 8) if self.one_in(5) else self.rng.uniform(-1, 1)))
        out = self.quant(_f32(np.clip(natural * rate, 1e-12, 1e12)))
        return self._add(op, (x, other), shape, out, {"activation": self.activation(out)})

    def unary(self, x: str) -> str:
        kind = int(self.rng.integers(8))
        t = self.tensors[x]
        if kind <= 1:  # the first keeps scale and zero point, as passes want it
            quant = t.q if kind == 0 else self.quant(_f32(t.q.scale * np.exp(self.rng.uniform(-2, 2))))
            kinds = ACTIVATIONS[3:] if quant.scale > 1e-8 else ACTIVATIONS[3:4]
            return self._add("relu", (x,), t.shape, quant, {"activation": str(self.rng.choice(kinds))})
        if kind == 2:
            return self._add("logistic", (x,), t.shape, Quant((1 / 256,), (-128,)), {})
        if kind == 3:
            quant = self.quant(_f32(t.q.scale * np.exp(self.rng.uniform(-2, 2))))
            return self._add("quantize", (x,), t.shape, quant, {})
        if kind == 4:
            x = self._add("reshape", (x,), (1, t.shape[1] * t.shape[2], 1, t.shape[3]), t.q, {})
            x = self._add("reshape", (x,), t.shape, t.q, {}) if self.one_in(2) else x
            return self._add("reshape", (x,), self.tensors[x].shape, t.q, {})
        if kind == 5:
            top, left = (int(v) for v in self.rng.integers(0, 3, 2))
            front = int(self.one_in(5))
            shape = (1, t.shape[1] + top + 1, t.shape[2] + left, t.shape[3] + front)
            x = self._add("pad", (x,), shape, t.q, {"pads": f"0,0,{top},1,{left},0,{front},0"})
            return self.conv(x)
        if kind == 6:
            return self.pool(x)
        axis = int(self.rng.integers(1, 4))
        pair = [x, self._add("relu", (x,), t.shape, t.q, {"activation": "relu"})]
        shape = tuple(2 * d if i == axis else d for i, d in enumerate(t.shape))
        return self._add("concat", tuple(pair), shape, t.q, {"axis": axis, "activation": "none"})

    def pool(self, x: str) -> str:
        t = self.tensors[x]
        k = min(2, *t.shape[1:3])
        attrs, out = self.window(x, k, pads=k > 1)
        attrs |= {"dilation_h": 1, "dilation_w": 1, "filter_h": k, "filter_w": k, "activation": self.activation(t.q)}
        out = [
            (size + int(attrs[low]) + int(attrs[high]) - k) // int(attrs[f"stride_{axis}"]) + 1
            for axis, size, low, high in zip("hw", t.shape[1:3], _PADS[::2], _PADS[1::2], strict=True)
        ]
        op = str(self.rng.choice(["average_pool", "max_pool"]))
        return self._add(op, (x,), (1, *out, t.shape[3]), t.q, attrs)

    def dilated(self, x: str) -> str:
        """SPACE_TO_BATCH, a convolution without padding, BATCH_TO_SPACE."""
        t = self.tensors[x]
        pads = [(1, 1 + t.shape[1] % 2), (1, 1 + t.shape[2] % 2)]
        padded = [size + sum(pair) for size, pair in zip(t.shape[1:3], pads, strict=True)]
        names = {"blocks": "2,2", "pads": ",".join(str(v) for pair in pads for v in pair)}
        x = self._add("space_to_batch", (x,), (4, padded[0] // 2, padded[1] // 2, t.shape[3]), t.q, {**names})
        x = self.conv(x, k=min(2, padded[0] // 2, padded[1] // 2), plain=True)
        t = self.tensors[x]
        crop = [int(v) for v in self.rng.integers(0, 2, 2)]
        shape = (1, 2 * t.shape[1] - crop[0], 2 * t.shape[2] - crop[1], t.shape[3])
        crops = {"blocks": "2,2", "crops": f"0,{crop[0]},0,{crop[1]}"}
        return self._add("batch_to_space", (x,), shape, t.q, {**crops})


def moved(net: ExtremeNet, x: str, rng: Rng) -> str:
    """Copies in a row, which undo each other now and then, and a concatenation of many."""
    t = net.tensors[x]
    _, h, w, c = t.shape
    again = "0,2,1,3" if rng.random() < 0.5 else "0,3,1,2"
    x = net._add("transpose", (x,), (1, w, h, c), t.q, {"perm": "0,2,1,3"})
    x = net._add("transpose", (x,), (1, h, w, c) if again[2] == "2" else (1, c, w, h), t.q, {"perm": again})
    parts = [x]
    for _ in range(int(rng.integers(4, 8))):
        parts.append(net._add("relu", (x,), net.tensors[x].shape, t.q, {"activation": "relu"}))
    _, h, w, c = net.tensors[x].shape
    x = net._add("concat", tuple(parts), (1, h, w, c * len(parts)), t.q, {"axis": 3, "activation": "none"})
    attrs = {"begins": f"0,{h - 1},0,0", "sizes": f"1,{h},{w},{c}", "strides": "1,-1,1,1"}
    return net._add("strided_slice", (x,), (1, h, w, c), t.q, {**attrs})


def extreme_graph(seed: int) -> Graph:
    """A graph of three to eight layers; its lowering may refuse it."""
    net = ExtremeNet(np.random.default_rng(seed))
    rng = net.rng
    shape = (1, *(int(v) for v in rng.integers(2, 6, 2)), int(rng.integers(1, 5)))
    net.tensors["input"] = Tensor("input", shape, "int8", net.quant())
    x = "input"
    if net.one_in(4):
        net.tensors["input"] = Tensor("input", shape, "float32")
        x = net._add("quantize", ("input",), shape, net.quant(), {})
    if net.one_in(2):  # as pruned networks have them: few weights, large multipliers, and a layer that sums it up
        x = net.conv(net.conv(x, wraps=True), k=1, plain=True)
    for _ in range(int(rng.integers(1, 6))):
        makers = ("conv", "conv", "conv", "conv", "binary", "unary", "unary", "dilated")
        x = getattr(net, str(rng.choice(makers)))(x)
    if seed % 5 == 4:
        x = moved(net, x, np.random.default_rng([seed, 1]))
    outputs = [x]
    if net.one_in(3):
        t = net.tensors[x]
        last = net._add("mean", (x,), (1, t.shape[3]), net.quant(t.q.scale), {"axes": "1,2", "keep_dims": 0})
        outputs = [net.fully_connected(last)]
        if net.one_in(2):
            outputs.append(x)
    if seed % 9 == 5:  # not drawn, so that each seed keeps its other layers
        t = net.tensors[outputs[0]]
        value = net._add("dequantize", (outputs[0],), t.shape, None, {}, "float32")
        value = net._add("abs", (value,), t.shape, None, {}, "float32")
        outputs[0] = net._add("quantize", (value,), t.shape, t.quant, {})
    if net.one_in(4):
        t = net.tensors[outputs[0]]
        outputs[0] = net._add("dequantize", (outputs[0],), t.shape, None, {}, "float32")
    return Graph("extreme", Stage.QUANTIZED, net.tensors, tuple(net.nodes), ("input",), tuple(outputs), {})
