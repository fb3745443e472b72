"""QUANTIZED nodes turned into a .tflite file and run by TensorFlow Lite's reference kernels: the outside oracle."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from edgekc.fuzzing.file_operators import NO_REFERENCE, WITH_STATE, WRONG_REFERENCE, builtin_name
from edgekc.fuzzing.tflite_file import model, network
from edgekc.graph.ir import Array
from edgekc.graph.op import View

__all__ = ["every_tensor", "fully_connected_rounding", "interpret", "missing", "model", "network", "run"]


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
