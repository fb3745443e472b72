"""Random QUANTIZED graphs of int16 with extreme scales: those of int8, with int16 activations and int64 biases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from extreme_nets import ExtremeNet

from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant

LARGEST = 2.0**6  # multiplier of a convolution: one of 2**7 is refused
PRODUCTS = ("mul",)  # grow as both operands do
MAKERS = ("conv", "conv", "conv", "conv", "binary", "unary", "unary")


def _wide(net: ExtremeNet, t: Tensor) -> Tensor:
    if t.role is Role.BIAS:
        return constant(t.name, t.value.astype(np.int64) * int(net.rng.choice([1, 256])), Role.BIAS, t.quant)
    if t.name.startswith("w_"):
        return t
    quant = None if t.quant is None else Quant(t.quant.scales, (0,) * len(t.quant.scales), t.quant.axis)
    if t.data is not None:
        return constant(t.name, t.value.astype(np.int16) * 256, t.role, quant)
    return replace(t, dtype="int16", quant=quant)


def _transposed(net: ExtremeNet, x: str) -> str:
    """A transposed convolution of stride 2."""
    rng, (_, h, w, ic) = net.rng, net.tensors[x].shape
    k, oc, top, left = (int(v) for v in rng.integers((2, 1, 0, 0), (4, 4, 2, 2)))
    weights = net.sparse((oc, k, k, ic)).astype(np.int8)
    spread = 1000 * float(np.sqrt(k * ic))
    quant, scales = net.scales(x, oc, spread)
    filters = Quant(tuple(float(s) for s in scales), (0,) * scales.size)
    inputs = (x, net._const("w", weights, Role.WEIGHTS, filters), net.bias(oc, spread))
    attrs = {"stride_h": 2, "stride_w": 2, "pad_top": top, "pad_left": left, "activation": net.activation(quant)}
    size = (2 * h - 2 + k - top, 2 * w - 2 + k - left)
    return net._add("transpose_conv", inputs, (1, *size, oc), quant, {**attrs})


def _fitted(node: Node, tensors: dict[str, Tensor]) -> None:
    """Gives weights and outputs scales that lowerings take."""
    out = tensors[node.outputs[0]]
    if node.op in PRODUCTS:
        tensors[out.name] = replace(out, quant=Quant((float(np.float32(out.q.scale * 256)),), (0,)))
    if len(node.inputs) > 1 and node.inputs[1].startswith("w_"):
        x, w = (tensors[name] for name in node.inputs[:2])
        most = np.float32(LARGEST * out.q.scale / x.q.scale)
        quant = replace(w.q, scales=tuple(float(np.minimum(np.float32(s), most)) for s in w.q.scales))
        tensors[w.name] = replace(w, quant=quant)


def extreme_wide_graph(seed: int) -> Graph:
    """A graph of three to eight layers; its lowering may refuse it."""
    net = ExtremeNet(np.random.default_rng([seed, 16]), packed=False)
    rng = net.rng
    shape = (1, *(int(v) for v in rng.integers(2, 6, 2)), int(rng.integers(1, 5)))
    net.tensors["input"] = Tensor("input", shape, "int8", net.quant())
    x = net.conv("input", k=1, plain=True)
    for _ in range(int(rng.integers(1, 6))):
        x = getattr(net, str(rng.choice(MAKERS)))(x)
    x = _transposed(net, x) if net.one_in(4) else x
    if net.one_in(3):
        t = net.tensors[x]
        last = net._add("mean", (x,), (1, t.shape[3]), net.quant(t.q.scale), {"axes": "1,2", "keep_dims": 0})
        x = net.fully_connected(last)
    tensors = {name: _wide(net, t) for name, t in net.tensors.items()}
    for node in net.nodes:
        _fitted(node, tensors)
        if node.op == "logistic":
            name = node.outputs[0]
            tensors[name] = replace(tensors[name], quant=Quant((2.0**-15,), (0,)))
    return Graph("wide", Stage.QUANTIZED, tensors, tuple(net.nodes), ("input",), (x,), {})
