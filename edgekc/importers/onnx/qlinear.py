"""Operators on integers (QLinearConv and its kin) as DequantizeLinear, the operator in float, QuantizeLinear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...graph.ir import Array
from .file import FileModel, FileNode

# Operators that measure ranges while they run, or leave the sums for float operators behind them.
DYNAMIC = frozenset(
    "ConvInteger DynamicQuantizeLinear DynamicQuantizeLSTM DynamicQuantizeMatMul MatMulInteger "
    "MatMulIntegerToFloat".split()
)
STATIC = "quantise with scales that are fixed (onnxruntime's quantize_static), or compress the float model"


@dataclass(slots=True)
class _Expansion:
    """The nodes in place of one."""

    node: FileNode
    constants: dict[str, Array]  # of the model, and those made here
    nodes: list[FileNode] = field(default_factory=list)

    def input(self, i: int) -> str:
        return self.node.inputs[i] if i < len(self.node.inputs) else ""

    def real(self, x: int, scale: int, axis: int = 1) -> str:
        """Input `x` dequantised by the scale and zero point at `scale`."""
        return self._dequantized((self.input(x), self.input(scale), self.input(scale + 1)), axis)

    def bias(self, i: int, *scales: int) -> tuple[str, ...]:
        """An optional int32 bias in units of the product of two scales."""
        key = self.input(i)
        parts = [self.constants.get(self.input(s)) for s in scales]
        if not key or any(part is None for part in parts):
            return (key,) if key else ()
        units = np.prod(np.broadcast_arrays(*[np.asarray(p, np.float32).ravel() for p in parts]), axis=0)
        name = self._name()
        self.constants[name] = units.astype(np.float32) if units.size > 1 else units.astype(np.float32).reshape(())
        return (self._dequantized((key, name), 0),)

    def quantized(self, op: str, inputs: tuple[str, ...], scale: int, attrs: Mapping[str, Any]) -> list[FileNode]:
        """`op` of these, quantised by the scale and zero point at `scale`."""
        result = self._add(op, inputs, attrs)
        self._add("QuantizeLinear", (result, self.input(scale), self.input(scale + 1)), {}, self.node.outputs)
        return self.nodes

    def _dequantized(self, inputs: tuple[str, ...], axis: int) -> str:
        return self._add("DequantizeLinear", inputs, {"axis": axis})

    def _name(self) -> str:
        return f"{self.node.outputs[0]}/{len(self.nodes)}/{len(self.constants)}"

    def _add(self, op: str, inputs: tuple[str, ...], attrs: Mapping[str, Any], outputs: tuple[str, ...] = ()) -> str:
        outputs = outputs or (self._name(),)
        self.nodes.append(replace(self.node, op=op, inputs=inputs, outputs=outputs, attrs=attrs))
        return outputs[0]


def kind(node: FileNode) -> str:
    """The operator without the domain of onnxruntime's own ones."""
    return node.op.removeprefix("com.microsoft.")


def _kept(node: FileNode, *gone: str) -> dict[str, Any]:
    return {key: value for key, value in node.attrs.items() if key not in gone}


def _conv(e: _Expansion) -> list[FileNode]:
    return e.quantized("Conv", (e.real(0, 1), e.real(3, 4, 0), *e.bias(8, 1, 4)), 6, e.node.attrs)


def _matmul(e: _Expansion) -> list[FileNode]:
    return e.quantized("MatMul", (e.real(0, 1), e.real(3, 4, 1)), 6, {})


def _gemm(e: _Expansion) -> list[FileNode]:
    columns = 0 if e.node.attrs.get("transB", 0) else 1
    return e.quantized("Gemm", (e.real(0, 1), e.real(3, 4, columns), *e.bias(6, 1, 4)), 7, e.node.attrs)


def _binary(op: str) -> Callable[[_Expansion], list[FileNode]]:
    return lambda e: e.quantized(op, (e.real(0, 1), e.real(3, 4)), 6, {})


def _unary(op: str) -> Callable[[_Expansion], list[FileNode]]:
    return lambda e: e.quantized(op, (e.real(0, 1),), 3, _kept(e.node, "channels_last", "opset"))


def _concat(e: _Expansion) -> list[FileNode]:
    parts = tuple(e.real(i, i + 1) for i in range(2, len(e.node.inputs), 3))
    return e.quantized("Concat", parts, 0, e.node.attrs)


_EXPANSIONS: dict[str, Callable[[_Expansion], list[FileNode]]] = {
    "QGemm": _gemm,
    "QLinearAdd": _binary("Add"),
    "QLinearAveragePool": _unary("AveragePool"),
    "QLinearConcat": _concat,
    "QLinearConv": _conv,
    "QLinearGlobalAveragePool": _unary("GlobalAveragePool"),
    "QLinearLeakyRelu": _unary("LeakyRelu"),
    "QLinearMatMul": _matmul,
    "QLinearMul": _binary("Mul"),
    "QLinearSigmoid": _unary("Sigmoid"),
    "QLinearSoftmax": _unary("Softmax"),
}


def expand(model: FileModel) -> FileModel:
    """The model with its operators on integers in the form that the other quantised models have.

    One that reads its image channels last stays as it is, and is refused by its name.
    """
    constants, nodes = dict(model.constants), list[FileNode]()
    for node in model.nodes:
        op = kind(node)
        found = _EXPANSIONS.get(op) if node.outputs and not node.attrs.get("channels_last", 0) else None
        if found is not None:
            nodes += found(_Expansion(node, constants))
        else:
            nodes.append(replace(node, op=op) if op in ("QuantizeLinear", "DequantizeLinear") else node)
    return replace(model, nodes=tuple(nodes), constants=constants)
