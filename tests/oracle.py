"""QUANTIZED nodes turned into a .tflite file and run by TensorFlow Lite's reference kernels: the outside oracle."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite
from oracle_operators import (
    FIRST_VERSION,
    IN_FLOAT,
    NO_REFERENCE,
    VERSION,
    WITH_STATE,
    WRONG_REFERENCE,
    builtin,
    builtin_name,
    inputs_of,
)

from edgekc.graph.ir import Array, Node, Tensor
from edgekc.graph.op import View

DTYPE = {
    "int4": tflite.TensorType.INT4,
    "int8": tflite.TensorType.INT8,
    "int16": tflite.TensorType.INT16,
    "uint8": tflite.TensorType.UINT8,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "float32": tflite.TensorType.FLOAT32,
    "bool": tflite.TensorType.BOOL,
}


def missing() -> str:
    """Why there is no oracle here; empty where there is one."""
    try:
        _interpreter_module()
    except ImportError as error:
        return f"no TensorFlow Lite interpreter: install ai-edge-litert or tflite-runtime ({error})"
    return ""


def fully_connected_rounding() -> str:
    """The attribute `rounding` by which fully connected layers give this interpreter's bits (docs/numerics.md)."""
    return "double" if _interpreter_module().__name__.startswith("tflite_runtime") else "litert"


def _interpreter_module() -> Any:
    try:
        return importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        return importlib.import_module("tflite_runtime.interpreter")


def interpret(model: bytes, inputs: Sequence[Array], reference: bool = True) -> list[Array]:
    """All outputs of a model; RuntimeError where LiteRT refuses it.

    Args:
        reference: by the reference kernels; else by those that LiteRT uses by itself, without XNNPACK.
    """
    runner = _prepared(model, inputs, reference=reference)
    return [runner.get_tensor(detail["index"]) for detail in runner.get_output_details()]


def every_tensor(model: bytes, samples: Sequence[Sequence[Array]]) -> list[dict[str, Array]]:
    """For each sample all tensors by name, those inside the network too."""
    runner = _prepared(model, samples[0], keep=True)
    results = []
    for inputs in samples:
        _invoke(runner, inputs)
        results.append({d["name"]: runner.get_tensor(d["index"]) for d in runner.get_tensor_details()})
    return results


def _prepared(model: bytes, inputs: Sequence[Array], keep: bool = False, reference: bool = True) -> Any:
    """An interpreter after its first run; an input's batch axis may be longer than the model's one."""
    module = _interpreter_module()
    kinds = module.OpResolverType
    runner = module.Interpreter(
        model_content=model,
        experimental_op_resolver_type=kinds.BUILTIN_REF if reference else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=keep,
        num_threads=1,
    )
    for detail, value in zip(runner.get_input_details(), inputs, strict=True):
        if tuple(detail["shape"]) != value.shape:
            runner.resize_tensor_input(detail["index"], value.shape)
    runner.allocate_tensors()
    _invoke(runner, inputs)
    return runner


def _invoke(runner: Any, inputs: Sequence[Array]) -> None:
    for detail, value in zip(runner.get_input_details(), inputs, strict=True):
        runner.set_tensor(detail["index"], value)
    runner.invoke()


def run(view: View, inputs: Sequence[Array]) -> list[Array]:
    """Outputs of a QUANTIZED node; `inputs` are the values of its activations."""
    if view.node.op in WITH_STATE:
        return list(importlib.import_module(WITH_STATE[view.node.op]).run(view, inputs))
    reference = builtin_name(view) not in NO_REFERENCE and view.node.op not in WRONG_REFERENCE
    return interpret(model(view), inputs, reference=reference)


# ---- the file -------------------------------------------------------------------------------------------


def _table(b: flatbuffers.Builder, kind: str, **fields: Any) -> int:
    """A flatbuffers table from its field values, by the names of the generated builder functions."""
    getattr(tflite, f"{kind}Start")(b)
    for name, value in fields.items():
        if value is not None:
            getattr(tflite, f"{kind}Add{name}")(b, value)
    return int(getattr(tflite, f"{kind}End")(b))


def _vector(b: flatbuffers.Builder, values: Sequence[Any], dtype: str) -> int:
    return int(b.CreateNumpyVector(np.asarray(values, dtype)))


def _offsets(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _tensor(b: flatbuffers.Builder, tensor: Tensor, buffer: int, variable: bool = False) -> int:
    quantization = None
    if tensor.quant is not None:
        scale = _vector(b, tensor.quant.scales, "float32")
        zero = _vector(b, tensor.quant.zero_points, "int64")
        fields = dict(Scale=scale, ZeroPoint=zero, QuantizedDimension=tensor.quant.axis)
        quantization = _table(b, "QuantizationParameters", **fields)
    name, shape = b.CreateString(tensor.name), _vector(b, tensor.shape, "int32")
    fields = dict(Shape=shape, Type=DTYPE[tensor.dtype], Buffer=buffer, Name=name, Quantization=quantization)
    return _table(b, "Tensor", **fields, IsVariable=variable or None)


def model(view: View) -> bytes:
    """The .tflite file of one QUANTIZED node."""
    free = list(dict.fromkeys(t.name for t in view.inputs if t.data is None))
    views = _through_float(view) if builtin_name(view) in IN_FLOAT and view.x.dtype != "float32" else [view]
    return network(views, free, [t.name for t in view.outputs])


def _through_float(view: View) -> list[View]:
    """An operator on one value in float, between DEQUANTIZE and QUANTIZE."""
    x, y = (Tensor(f"{t.name}/float", t.shape, "float32") for t in (view.x, view.out))
    steps = (("dequantize", view.x, x), (view.node.op, x, y), ("quantize", y, view.out))
    return [View(Node(op, out.name, (a.name,), (out.name,), view.node.attrs), (a,), (out,)) for op, a, out in steps]


def network(views: Sequence[View], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The .tflite file of nodes in execution order; tensors of one name are one tensor.

    Args:
        inputs: names of the network's inputs.
        outputs: names of its outputs, in order.
    """
    b = flatbuffers.Builder(1024)
    operands = [inputs_of(view) for view in views]
    sources = {t.name: t for view, row in zip(views, operands, strict=True) for t in (*row, *view.outputs)}
    index = {name: i for i, name in enumerate(sources)}

    buffers, tables = [_table(b, "Buffer")], []
    for tensor in sources.values():
        slot = 0
        if tensor.data is not None:
            data = b.CreateByteVector(np.ascontiguousarray(tensor.data).tobytes())
            slot = len(buffers)
            buffers.append(_table(b, "Buffer", Data=data))
        tables.append(_tensor(b, tensor, slot))

    codes: dict[str, int] = {}  # builtin -> its place in the list of operator codes
    operators = [
        _operator(b, view, [index[t.name] for t in row], [index[t.name] for t in view.outputs], codes)
        for view, row in zip(views, operands, strict=True)
    ]
    parts = dict(Tensors=_offsets(b, tables), Operators=_offsets(b, operators))
    ends = dict(
        Inputs=_vector(b, [index[n] for n in inputs], "int32"), Outputs=_vector(b, [index[n] for n in outputs], "int32")
    )
    graph = _table(b, "SubGraph", **parts, **ends)
    code_tables = [_operator_code(b, builtin) for builtin in codes]
    lists = dict(OperatorCodes=_offsets(b, code_tables), Subgraphs=_offsets(b, [graph]), Buffers=_offsets(b, buffers))
    root = _table(b, "Model", Version=3, **lists)
    b.Finish(root, b"TFL3")
    return bytes(b.Output())


def _operator(
    b: flatbuffers.Builder, view: View, inputs: Sequence[int], outputs: Sequence[int], codes: dict[str, int]
) -> int:
    name, options_kind, options = builtin(view)
    custom = b.CreateByteVector(options.pop("custom")) if "custom" in options else None
    for key, value in options.items():
        if isinstance(value, list):
            options[key] = _vector(b, value, "int32")
    option_table = _table(b, options_kind, **options) if options_kind else None
    kind = getattr(tflite.BuiltinOptions, options_kind) if options_kind else None
    ends = dict(Inputs=_vector(b, inputs, "int32"), Outputs=_vector(b, outputs, "int32"))
    place = codes.setdefault(name, len(codes))
    return _table(b, "Operator", OpcodeIndex=place, **ends, BuiltinOptions=option_table, BuiltinOptionsType=kind,
                  CustomOptions=custom)  # fmt: skip


def _operator_code(b: flatbuffers.Builder, builtin: str) -> int:
    if builtin.startswith("CUSTOM "):
        fields = dict(CustomCode=b.CreateString(builtin.removeprefix("CUSTOM ")), Version=1)
        number = tflite.BuiltinOperator.CUSTOM
        return _table(b, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=number, **fields)
    number = getattr(tflite.BuiltinOperator, builtin)
    version = 1 if builtin in FIRST_VERSION else VERSION
    return _table(b, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=min(number, 127), Version=version)
